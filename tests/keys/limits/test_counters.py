import asyncio

import pytest

from keys.limits.counters import Counted, Denial, Limit
from keys.limits.memory_counters import MemoryCounters
from keys.scopes import Limits, Scope
from tests.keys.factories import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counters(clock):
    return MemoryCounters(clock)


def key(number=1, rpm=None, tpm=None, concurrency=None):
    return Scope("key", number, Limits(rpm, tpm, concurrency))


def owner(number=7, rpm=None, tpm=None, concurrency=None):
    return Scope("owner", number, Limits(rpm, tpm, concurrency))


async def is_denied(counters, *scopes):
    return isinstance(await counters.take(scopes), Denial)


async def test_of_fifty_requests_with_room_for_seven_seven_pass(counters):
    assert [await is_denied(counters, key(rpm=7)) for _ in range(50)].count(False) == 7


async def test_fifty_tasks_with_room_for_seven_cannot_slip_between_look_and_take(counters):
    refused = await asyncio.gather(*(is_denied(counters, key(concurrency=7)) for _ in range(50)))
    assert refused.count(False) == 7


async def test_the_minute_is_not_the_clocks_so_no_double_portion_around_it(counters, clock):
    clock.now = 59.9
    assert not any([await is_denied(counters, key(rpm=5)) for _ in range(5)])
    clock.now = 60.1
    assert await is_denied(counters, key(rpm=5))


async def test_a_request_is_forgotten_after_exactly_a_minute(counters, clock):
    await counters.take([key(rpm=1)])
    clock.now += 59.99
    denial = await counters.take([key(rpm=1)])
    assert denial == Denial(Limit.REQUESTS, pytest.approx(0.01), key(rpm=1))
    clock.now += 0.01
    assert not await is_denied(counters, key(rpm=1))


async def test_waiting_as_long_as_told_is_enough(counters, clock):
    for _ in range(10):
        await counters.take([key(rpm=10)])
        clock.now += 3.3
    denial = await counters.take([key(rpm=10)])
    clock.now += denial.retry_after_s
    assert not await is_denied(counters, key(rpm=10))


async def test_nobody_is_told_to_wait_for_over_a_minute(counters, clock):
    for _ in range(100):
        clock.now += 1234.567_89  # (now + 60) - now may be a little more than 60
        await counters.take([key(rpm=1)])
        assert (await counters.take([key(rpm=1)])).retry_after_s <= 60


async def test_refused_requests_do_not_count(counters, clock):
    await counters.take([key(rpm=1)])
    for _ in range(30):
        clock.now += 1
        await counters.take([key(rpm=1)])
    clock.now += 30
    assert not await is_denied(counters, key(rpm=1))


async def test_a_slot_comes_back_when_its_request_ends(counters):
    hold = await counters.take([key(concurrency=1)])
    assert (await counters.take([key(concurrency=1)])).limit is Limit.CONCURRENCY
    hold.release(0)
    assert not await is_denied(counters, key(concurrency=1))


async def test_a_request_refused_for_its_slot_takes_no_request_of_the_minute(counters):
    hold = await counters.take([key(rpm=5, concurrency=1)])
    await counters.take([key(rpm=5, concurrency=1)])
    assert hold.requests().used == 1


async def test_a_request_refused_for_its_owner_takes_nothing_of_its_key(counters):
    await counters.take([owner(rpm=1)])
    assert (await counters.take([key(rpm=5), owner(rpm=1)])).scope == owner(rpm=1)
    hold = await counters.take([key(rpm=5)])
    assert hold.requests().used == 1


async def test_two_new_scopes_at_once_are_both_counted(counters):
    scopes = [key(concurrency=1), owner(concurrency=1)]
    hold = await counters.take(scopes)
    assert await is_denied(counters, scopes[0])
    assert await is_denied(counters, scopes[1])
    hold.release(0)
    assert not await is_denied(counters, *scopes)


async def test_reserved_tokens_keep_others_out_until_released(counters):
    first, second = await counters.take([key(tpm=100)]), await counters.take([key(tpm=100)])
    assert await first.reserve_tokens(80) is None
    assert (await second.reserve_tokens(30)).limit is Limit.TOKENS
    first.release(10)
    assert await second.reserve_tokens(30) is None
    assert second.tokens().used == 40


async def test_tokens_refused_for_the_owner_are_not_held_for_the_key(counters):
    hold = await counters.take([key(tpm=1000), owner(tpm=100)])
    other = await counters.take([key(tpm=1000), owner(tpm=100)])
    await hold.reserve_tokens(60)
    assert (await other.reserve_tokens(60)).scope.kind == "owner"
    assert (await counters.take([key(tpm=1000)])).tokens().used == 60


async def test_used_tokens_refuse_the_next_request_for_a_minute(counters, clock):
    (await counters.take([key(tpm=100)])).release(150)
    denial = await counters.take([key(tpm=100)])
    assert denial == Denial(Limit.TOKENS, pytest.approx(60.0), key(tpm=100))
    clock.now += 60
    assert not await is_denied(counters, key(tpm=100))


async def test_levels_are_those_of_the_scope_with_the_least_left(counters):
    hold = await counters.take([key(rpm=10), owner(rpm=3)])
    assert (hold.requests().limit, hold.requests().remaining) == (3, 2)


async def test_keys_do_not_share_counts(counters):
    await counters.take([key(1, rpm=1)])
    assert not await is_denied(counters, key(2, rpm=1))


async def test_keys_at_rest_leave_memory(counters, clock):
    for number in range(500):
        (await counters.take([key(number)])).release(0)
    clock.now += 61
    for _ in range(600):
        await counters.take([key(9_999)])
    assert len(counters) == 1


async def test_a_running_request_keeps_its_count_however_long_it_runs(counters, clock):
    await counters.take([key(1, concurrency=1)])
    clock.now += 3600
    for _ in range(50):
        await counters.take([key(2)])
    assert await is_denied(counters, key(1, concurrency=1))


async def test_a_busy_minute_needs_little_memory(counters, clock):
    for _ in range(6_000):
        clock.now += 0.01
        hold = await counters.take([key(rpm=10_000)])
    assert len(counters._counted["key:1"].requests._buckets) <= 241
    assert hold.requests().used == 6_000


async def test_what_is_counted_is_told_and_nothing_is_counted_by_asking(counters, clock):
    scopes = [key(rpm=5, tpm=100, concurrency=3), owner(rpm=9)]
    done, _ = [await counters.take(scopes) for _ in range(2)]
    await done.reserve_tokens(80)
    assert await counters.counted([*scopes, key(2, rpm=1)]) == [
        Counted(2, 60.0, 80, 60.0, 2),
        Counted(2, 60.0, 0, 0.0, 2),
        Counted(),
    ]
    done.release(30)
    clock.now += 20
    assert (await counters.counted(scopes))[0] == Counted(2, 40.0, 30, 40.0, 1)
    assert len(counters) == 2


def on_kimi(**limits):
    rates = {"rpm": "requests_per_minute", "tpm": "tokens_per_minute", "concurrency": "concurrency"}
    named = Limits(**{rates[name]: amount for name, amount in limits.items()})
    return Scope("team", 3, named, ("@cf/moonshotai/*",), "research")


async def test_what_is_given_back_leaves_nothing_behind(counters, clock):
    first = await counters.take([key(rpm=2, tpm=100, concurrency=2)])
    refused = await counters.take([key(rpm=2, tpm=100, concurrency=2)])
    assert await first.reserve_tokens(60, [on_kimi(rpm=1)]) is None
    denial = await refused.reserve_tokens(20, [on_kimi(rpm=1)])
    assert denial.scope.words == "the team research on @cf/moonshotai/*"
    refused.give_back()
    again = await counters.take([key(rpm=2, tpm=100, concurrency=2)])
    assert (again.requests().used, again.tokens().used) == (2, 60)
    first.release(0)
    again.release(0)
    clock.now += 60
    assert (await counters.take([key(rpm=2)])).requests().used == 1


async def test_a_model_that_does_not_answer_gets_its_requests_back(counters):
    hold = await counters.take([key(rpm=5)])
    assert await hold.reserve_tokens(30, [on_kimi(rpm=1, tpm=40, concurrency=1)]) is None
    hold.give_back_more()
    other = await counters.take([on_kimi(rpm=1, tpm=40, concurrency=1)], tokens=40)
    assert other.tokens().used == 40
    other.release(7)
    hold.release(9)
    assert (await counters.take([on_kimi(tpm=40)])).tokens().used == 7
    assert (await counters.take([key(rpm=5, tpm=100)])).tokens().used == 9


async def test_who_is_refused_by_name_does_not_stay_in_memory(counters):
    busy = await counters.take([key(1, concurrency=1)])
    for name in range(500):
        person = Scope("user", 1, Limits(requests_per_minute=0), name=f"user {name}")
        assert isinstance(await counters.take([person]), Denial)
    assert len(counters) <= 2
    busy.release(0)
