"""What may be tried again, and when."""

import pytest

from workers_ai.errors import (
    AccountFault,
    AllocationUsedUp,
    BadInput,
    ModelMissing,
    NoCapacity,
    RateReached,
    Refused,
    ServerFault,
    StreamCut,
    TimedOut,
    Unreachable,
    UnusableAnswer,
    UpstreamTimedOut,
    WorkersAIError,
)
from workers_ai.retry import RetryPolicy

POLICY = RetryPolicy(retries=2, budget_s=10, first_delay_s=1, longest_delay_s=3)


def refused(error_class: type[Refused], retry_after_s: float | None = None) -> Refused:
    return error_class("x", status=429, retry_after_s=retry_after_s)


def delay(
    error: WorkersAIError, attempt: int = 1, elapsed_s: float = 0, repeatable: bool = True
) -> float | None:
    return POLICY.delay_s(error, attempt=attempt, elapsed_s=elapsed_s, repeatable=repeatable)


@pytest.mark.parametrize(
    "error",
    [
        refused(RateReached),
        refused(NoCapacity),
        refused(ServerFault),
        refused(UpstreamTimedOut),
        Unreachable("x", sent=False),
        Unreachable("x", sent=True),
        TimedOut("connect", 1),
    ],
)
def test_passing_failures_are_tried_again(error: WorkersAIError) -> None:
    assert delay(error) is not None


@pytest.mark.parametrize(
    "error",
    [
        refused(BadInput),
        refused(ModelMissing),
        refused(AccountFault),
        refused(AllocationUsedUp),
        TimedOut("first_byte", 1),
        TimedOut("idle", 1),
        TimedOut("pool", 1),
        StreamCut("x"),
        UnusableAnswer("x"),
    ],
)
def test_lasting_failures_and_begun_answers_are_not(error: WorkersAIError) -> None:
    assert delay(error) is None


@pytest.mark.parametrize("error", [Unreachable("x", sent=True), refused(UpstreamTimedOut)])
def test_what_may_have_run_and_costs_each_time_is_not(error: WorkersAIError) -> None:
    assert delay(error, repeatable=False) is None


@pytest.mark.parametrize("error", [Unreachable("x", sent=False), refused(NoCapacity)])
def test_what_certainly_did_not_run_is(error: WorkersAIError) -> None:
    assert delay(error, repeatable=False) is not None


def test_the_tries_are_counted() -> None:
    assert delay(refused(NoCapacity), attempt=2) is not None
    assert delay(refused(NoCapacity), attempt=3) is None


def test_pauses_grow_to_a_bound_with_jitter() -> None:
    for attempt, longest in ((1, 1), (2, 2)):
        for _ in range(50):
            pause = delay(refused(NoCapacity), attempt)
            assert pause is not None
            assert longest / 2 <= pause <= longest


def test_retry_after_is_honoured() -> None:
    assert delay(refused(NoCapacity, retry_after_s=5)) == 5


def test_a_pause_beyond_the_budget_is_not_made() -> None:
    assert delay(refused(NoCapacity, retry_after_s=60)) is None
    assert delay(refused(NoCapacity), elapsed_s=10) is None
