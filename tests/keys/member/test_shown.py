from datetime import date, timedelta

import pytest

from keys.member import shown
from keys.member.chart import HEIGHT, WIDTH, day_chart


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (0, "$0"),
        (1, "$0.000000001"),
        (23_800, "$0.0000238"),
        (420_000_000, "$0.42"),
        (500_000_000, "$0.50"),
        (12_500_000_000, "$12.50"),
        (1_234_000_000_000, "$1,234.00"),
    ],
)
def test_money_is_short_and_never_nothing_when_it_is_something(nano_usd: int, text: str) -> None:
    assert shown.usd(nano_usd) == text


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "0"), (1, "<0.01"), (2_163_636, "2.16"), (10_000_000, "10"), (12_345_000_000, "12,345")],
)
def test_neurons(micro: int, text: str) -> None:
    assert shown.neurons(micro) == text


@pytest.mark.parametrize(
    ("count", "text"), [(950, "950"), (12_345, "12.3k"), (4_500_000, "4.5M"), (10**9, "1G")]
)
def test_counts_beside_a_chart(count: int, text: str) -> None:
    assert shown.short(count) == text


def test_a_chart_has_a_column_for_each_day_and_shows_the_smallest() -> None:
    days = [date(2027, 1, 1) + timedelta(days=n) for n in range(30)]
    values = [0] * 28 + [1, 1_000_000]
    chart = day_chart(days, values, str)
    assert chart is not None
    assert len(chart.columns) == 30
    assert chart.columns[0].height == 0
    assert chart.columns[28].height > 1
    assert chart.columns[29].title == "30 Jan: 1000000"
    assert [line.label for line in chart.lines] == ["0", "500000", "1000000"]
    for column in chart.columns:
        assert column.y >= 0 and column.y + column.height <= HEIGHT
        assert column.x >= 0 and column.x + column.width <= WIDTH


def test_a_chart_of_nothing_is_none() -> None:
    assert day_chart([date(2027, 1, 1)], [0], str) is None
