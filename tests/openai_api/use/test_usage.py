"""Upstream's contradictory usage reports → one figure."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openai_api.use.usage import Usage, UsageMeter, count, neurons, read_usage


def report(prompt: Any, completion: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


def metered(*reports: Any, trailing: Any = ()) -> tuple[int | None, int | None]:
    meter = UsageMeter()
    for one in reports:
        meter.take(one, trailing=False)
    for one in trailing:
        meter.take(one, trailing=True)
    return meter.total.prompt_tokens, meter.total.completion_tokens


def test_running_totals_are_not_summed() -> None:
    assert metered(report(13, 1), report(13, 3), report(13, 4)) == (13, 4)


def test_increments_are_summed() -> None:
    assert metered(report(14, 1), report(0, 1), report(0, 1)) == (14, 3)


def test_a_trailing_report_beats_increments_and_totals() -> None:
    assert metered(report(14, 1), report(0, 1), trailing=[report(14, 16)]) == (14, 16)
    assert metered(report(14, 99), trailing=[report(14, 16)]) == (14, 16)


def test_of_two_trailing_reports_the_last_counts() -> None:
    assert metered(trailing=[report(1, 2), report(3, 4)]) == (3, 4)


def test_a_trailing_report_of_zeros_does_not_wipe_out_what_was_counted() -> None:
    assert metered(report(14, 16), trailing=[report(0, 0)]) == (14, 16)
    assert metered(trailing=[report(14, 16), report(0, 0)]) == (14, 16)


def test_increments_with_a_total_at_the_end_are_the_total() -> None:
    assert metered(report(14, 1), report(0, 1), report(0, 1), report(14, 3)) == (14, 3)


@pytest.mark.parametrize("reports", [[], [None], [{}], [[]], ["x"], [report(0, 0)]])
def test_nothing_or_only_zeros_is_unknown(reports: list[Any]) -> None:
    assert metered(*reports) == (None, None)
    assert metered(trailing=reports) == (None, None)


def test_zero_completion_tokens_are_a_number() -> None:
    assert metered(report(14, 0)) == (14, 0)


def test_neurons_add_up_with_increments() -> None:
    meter = UsageMeter()
    meter.take(report(14, 1, neurons=0.25), trailing=False)
    meter.take(report(0, 1, neurons=0.25), trailing=False)
    assert meter.total.neurons == Decimal("0.5")


@given(
    prompt=st.integers(1, 10**6),
    parts=st.lists(st.integers(0, 50), min_size=1, max_size=30),
    trails=st.booleans(),
)
def test_both_ways_of_counting_give_the_same(prompt: int, parts: list[int], trails: bool) -> None:
    total = sum(parts)
    trailing = [report(prompt, total)] if trails else []
    increments = [report(prompt if n == 0 else 0, part) for n, part in enumerate(parts)]
    totals = [report(prompt, sum(parts[: n + 1])) for n in range(len(parts))]
    assert metered(*increments, trailing=trailing) == (prompt, total)
    assert metered(*totals, trailing=trailing) == (prompt, total)


@pytest.mark.parametrize(("value", "number"), [(3, 3), (3.0, 3), ("3", 3), (0, 0)])
def test_a_count_is_read_in_any_form(value: Any, number: int) -> None:
    assert count(value) == number


@pytest.mark.parametrize(
    "value", [-1, True, "x", "NaN", float("nan"), float("inf"), 2**60, [], {}, None]
)
def test_what_is_no_count_is_none(value: Any) -> None:
    assert count(value) is None


@pytest.mark.parametrize(
    ("value", "amount"), [(0.1, Decimal("0.1")), ("1e-7", Decimal("1e-7")), (0, Decimal(0))]
)
def test_neurons_are_read_exactly(value: Any, amount: Decimal) -> None:
    assert neurons(value) == amount


@pytest.mark.parametrize("value", [-1, "NaN", True, "Infinity", [], "", None])
def test_what_is_no_amount_is_none(value: Any) -> None:
    assert neurons(value) is None


def test_cached_tokens_are_part_of_the_prompt() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 500}}
    usage = read_usage(report(376, 1, **details))
    assert usage is not None
    assert usage.cached_tokens == 376


def test_the_names_of_the_responses_api_are_read_too() -> None:
    assert read_usage({"input_tokens": 3, "output_tokens": 4}) == Usage(3, 4)


def test_openais_object_is_whole_even_when_nothing_is_known() -> None:
    assert Usage().as_openai() == {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
