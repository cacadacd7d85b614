"""Slots shared between callers: nobody has all of them, and who waits is served in turn."""

import asyncio
from contextlib import suppress

import pytest

from workers_ai.http.fair_semaphore import FairSemaphore


def taken(slots: FairSemaphore, caller: str) -> int:
    """How many the caller gets at once."""
    number = 0
    while slots.try_acquire(caller):
        number += 1
    return number


@pytest.mark.parametrize("slots, share", [(1, 1), (2, 1), (3, 2), (20, 10), (2001, 1001)])
def test_one_caller_gets_half_and_the_next_still_some(slots: int, share: int) -> None:
    semaphore = FairSemaphore(slots)
    assert taken(semaphore, "a") == share
    if slots > 1:
        assert taken(semaphore, "b") > 0


def test_there_is_one_left_however_many_greedy_callers_there_are() -> None:
    semaphore = FairSemaphore(64)
    shares = [taken(semaphore, f"caller {number}") for number in range(6)]
    assert shares == [32, 16, 8, 4, 2, 1]
    assert semaphore.try_acquire("one more")


async def test_who_waits_is_served_caller_by_caller() -> None:
    semaphore = FairSemaphore(1)
    assert semaphore.try_acquire("first")
    served: list[str] = []

    async def wait(caller: str) -> None:
        await semaphore.acquire(caller)
        served.append(caller)
        semaphore.release(caller)

    waiting = [asyncio.create_task(wait(caller)) for caller in "aaaaabbc"]
    await asyncio.sleep(0)
    semaphore.release("first")
    await asyncio.gather(*waiting)
    assert "".join(served) == "abcabaaa"


async def test_a_caller_at_its_share_does_not_hold_up_others() -> None:
    semaphore = FairSemaphore(4)
    assert taken(semaphore, "greedy") == 2
    greedy = asyncio.create_task(semaphore.acquire("greedy"))
    await asyncio.sleep(0)
    assert semaphore.try_acquire("modest")
    assert not greedy.done()
    semaphore.release("modest")
    semaphore.release("greedy")
    await greedy


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_who_leaves_takes_nothing_along(cancelled_first: bool) -> None:
    semaphore = FairSemaphore(1)
    assert semaphore.try_acquire("a")
    leaving = asyncio.create_task(semaphore.acquire("b"))
    staying = asyncio.create_task(semaphore.acquire("c"))
    await asyncio.sleep(0)
    if cancelled_first:
        leaving.cancel()
        semaphore.release("a")
    else:
        semaphore.release("a")
        leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    await asyncio.wait_for(staying, 5)
    semaphore.release("c")
    assert taken(semaphore, "d") == 1
    assert not semaphore._waiting


async def test_a_wait_that_timed_out_is_forgotten() -> None:
    semaphore = FairSemaphore(1)
    assert semaphore.try_acquire("a")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await semaphore.acquire("b")
    assert not semaphore._waiting
    semaphore.release("a")
    await semaphore.acquire("b")
