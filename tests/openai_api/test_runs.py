"""Several calls of one request: their order, their failures, and what they used together."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from catalog.pricing.costs import Quantities
from openai_api.runs import AT_ONCE, side_by_side
from openai_api.use.recording import NOTHING_USED, Metered, together
from openai_api.use.usage import Usage
from workers_ai.errors import UnusableAnswer


async def test_results_keep_the_order_of_their_calls() -> None:
    first_may_end = asyncio.Event()

    async def first() -> int:
        await first_may_end.wait()
        return 1

    async def second() -> int:
        first_may_end.set()
        return 2

    assert await side_by_side([first, second]) == [1, 2]


async def test_no_more_than_so_many_run_at_once() -> None:
    running = most = 0

    async def call() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await side_by_side([call] * (AT_ONCE * 3))
    assert most == AT_ONCE


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_the_first_failure_ends_the_others(error: type[BaseException]) -> None:
    ended: list[str] = []

    async def fails() -> None:
        raise error

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    calls: list[Callable[[], Awaitable[None]]] = [waits, waits, fails]
    with pytest.raises(error):
        await side_by_side(calls)
    assert ended == ["waits", "waits"]


async def test_a_failure_can_be_told_after_the_end_of_those_under_way() -> None:
    under_way = asyncio.Event()
    ended: list[str] = []

    async def fails() -> None:
        await under_way.wait()
        raise UnusableAnswer("nothing")

    async def is_under_way() -> None:
        under_way.set()
        await asyncio.sleep(0)
        ended.append("under way")

    async def has_not_begun() -> None:
        ended.append("begun")

    calls = [fails, *[is_under_way] * (AT_ONCE - 1), has_not_begun]
    with pytest.raises(UnusableAnswer):
        await side_by_side(calls, to_their_end=True)
    assert ended == ["under way"] * (AT_ONCE - 1)


def part(
    tokens: int, neurons: str | None, source: str = "upstream", *, cached: bool = False
) -> Metered:
    usage = Usage(tokens, 1, neurons=None if neurons is None else Decimal(neurons))
    quantities = Quantities(prompt_tokens=tokens, completion_tokens=1)
    return Metered(usage, source, quantities, cached)


def test_usage_of_several_calls_adds_up() -> None:
    both = together([part(10, "0.5"), part(20, "0.25")])
    assert both.usage == Usage(30, 2, neurons=Decimal("0.75"))
    assert (both.quantities.prompt_tokens, both.quantities.requests) == (30, 2)
    assert both.source == "upstream"


def test_neurons_that_one_call_did_not_report_are_not_taken_for_the_sum() -> None:
    assert together([part(10, "0.5"), part(20, None)]).usage.neurons is None


@pytest.mark.parametrize(
    ("sources", "partial", "source"),
    [
        (["upstream", "estimated"], False, "estimated"),
        (["upstream", "partial"], False, "partial"),
        (["upstream", "upstream"], True, "partial"),
    ],
)
def test_the_least_sure_source_counts(sources: list[str], partial: bool, source: str) -> None:
    assert together([part(1, "1", s) for s in sources], partial=partial).source == source


def test_what_came_out_of_a_cache_is_shown_and_not_charged() -> None:
    both = together([part(10, "0.5"), part(20, "0.25", cached=True)])
    assert both.usage.prompt_tokens == 30
    assert (both.quantities.prompt_tokens, both.usage.neurons) == (10, Decimal("0.5"))
    assert not both.cached_answer
    assert together([part(20, "0.25", cached=True)]).cached_answer


def test_no_call_is_nothing() -> None:
    assert together([]) is NOTHING_USED
