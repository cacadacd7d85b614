import pytest

from keys import shown


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
