"""Columns of a chart as numbers: nothing leaves its frame, and what is not nothing is seen."""

from datetime import date, timedelta

import pytest

from theme.chart import Bucket, Frame, stacked

DAY = date(2027, 1, 1)
DAYS = [DAY + timedelta(days=n) for n in range(30)]
BUCKETS = [Bucket(day, day, f"{day:%d %b}") for day in DAYS]
FRAME = Frame(width=720, height=180, left=66, right=22)


def test_columns_stand_on_one_another() -> None:
    chart = stacked(BUCKETS[:2], ["x", "y"], [[60, 0], [40, 10]], str)
    assert chart is not None
    lower, upper = chart.columns[0].parts
    assert lower.y + lower.height == pytest.approx(chart.floor)
    assert upper.y + upper.height == pytest.approx(lower.y)
    assert [line.text for line in chart.lines] == ["0", "50", "100"]
    assert len(chart.columns[1].parts) == 1


def test_each_day_has_a_column_within_the_frame_and_the_smallest_is_seen() -> None:
    chart = stacked(BUCKETS, ["requests"], [[0] * 28 + [1, 1_000_000]], str, FRAME)
    assert chart is not None
    assert [len(column.parts) for column in chart.columns] == [0] * 28 + [1, 1]
    assert chart.columns[28].parts[0].height >= 1
    assert chart.columns[29].title == "30 Jan: 1000000"
    for column in chart.columns:
        assert FRAME.left <= column.x and column.x + column.width <= chart.right
        for part in column.parts:
            assert part.y >= 0 and part.y + part.height <= chart.floor + 1


def test_the_last_of_many_days_has_a_label_and_there_are_not_too_many() -> None:
    chart = stacked(BUCKETS, ["requests"], [[1] * 30], str)
    assert chart is not None
    assert chart.labels[-1].text == "30 Jan"
    assert len(chart.labels) <= 8


def test_a_chart_of_nothing_is_none() -> None:
    assert stacked(BUCKETS, ["requests"], [[0] * 30], str) is None
    assert stacked(BUCKETS, [], [], str) is None
