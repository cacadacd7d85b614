"""Columns of a chart as numbers: nothing leaves its plane, and what is not nothing is seen."""

from datetime import date, timedelta

import pytest

from theme.chart import Bucket, stacked

DAY = date(2027, 1, 1)
DAYS = [DAY + timedelta(days=n) for n in range(30)]
BUCKETS = [Bucket(day, day, f"{day:%d %b}") for day in DAYS]


def test_columns_stand_on_one_another() -> None:
    chart = stacked(BUCKETS[:2], ["x", "y"], [[60, 0], [40, 10]], str)
    assert chart is not None
    lower, upper = chart.columns[0].parts
    assert lower.y + lower.height == pytest.approx(chart.height)
    assert upper.y + upper.height == pytest.approx(lower.y)
    assert chart.lines == ("100", "50", "0")
    assert len(chart.columns[1].parts) == 1


def test_each_day_has_a_column_within_the_plane_and_the_smallest_is_seen() -> None:
    chart = stacked(BUCKETS, ["requests"], [[0] * 28 + [1, 1_000_000]], str)
    assert chart is not None
    assert [len(column.parts) for column in chart.columns] == [0] * 28 + [1, 1]
    assert chart.columns[28].parts[0].height >= 1
    assert chart.columns[29].title == "30 Jan: 1000000"
    for column in chart.columns:
        assert column.x >= 0 and column.x + column.width <= chart.width
        for part in column.parts:
            assert column.x <= part.x and part.x + part.width <= column.x + column.width
            assert part.y >= 0 and part.y + part.height <= chart.height


@pytest.mark.parametrize("count", [1, 7, 12, 30])
def test_the_last_of_many_days_has_a_label_and_there_are_not_too_many(count: int) -> None:
    chart = stacked(BUCKETS[:count], ["requests"], [[1] * count], str)
    assert chart is not None
    assert chart.columns[-1].label == BUCKETS[count - 1].name
    assert not chart.columns[-1].is_seldom
    labelled = [column for column in chart.columns if column.label]
    assert len(labelled) <= 8
    assert min(count, 3) <= sum(not column.is_seldom for column in labelled) <= 4


def test_one_day_alone_is_no_wall() -> None:
    chart = stacked(BUCKETS[:1], ["requests"], [[5]], str)
    assert chart is not None
    [part] = chart.columns[0].parts
    assert part.width < chart.width / 10


def test_columns_lead_where_their_days_do() -> None:
    linked = [Bucket(DAY, DAY, "1 Jan", "/rows/"), Bucket(DAY, DAY, "2 Jan")]
    chart = stacked(linked, ["requests"], [[1, 1]], str)
    assert chart is not None and chart.is_linked
    assert [column.url for column in chart.columns] == ["/rows/", ""]
    plain = stacked(BUCKETS[:2], ["requests"], [[1, 1]], str)
    assert plain is not None and not plain.is_linked


def test_a_chart_of_nothing_is_none() -> None:
    assert stacked(BUCKETS, ["requests"], [[0] * 30], str) is None
    assert stacked(BUCKETS, [], [], str) is None
