"""Turns that several workers share through a real Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from keys.sharing import shared
from keys.sharing.lanes import TurnMissed
from keys.sharing.line import Asker
from keys.sharing.shared import SharedLane
from tests.keys.engines import RedisServer, redis_server


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


class Workers:
    """Lanes of one name, each with a connection of its own, as workers have them."""

    def __init__(self, url: str, count: int, per_minute: int) -> None:
        self.links = [shared.link(url) for _ in range(count)]
        self.lanes = [SharedLane("@cf/a/model", per_minute, link, share=1) for link in self.links]

    async def close(self) -> None:
        for lane in self.lanes:
            lane.close()
        for link in self.links:
            await link.close()


@pytest.fixture
async def three(server: RedisServer) -> AsyncIterator[Workers]:
    with redis.Redis.from_url(server.url) as direct:
        direct.flushall()
    workers = Workers(server.url, 3, 12)
    yield workers
    await workers.close()


async def passed(tasks: "list[asyncio.Task[float]]") -> int:
    """How many had a turn, once all are done."""
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, float | TurnMissed) for end in ends), ends
    return sum(isinstance(end, float) for end in ends)


async def test_of_fifty_at_once_over_three_workers_twelve_pass(three: Workers) -> None:
    tasks = [
        asyncio.create_task(three.lanes[number % 3].take(Asker(f"{number % 5}"), wait_s=0.6))
        for number in range(50)
    ]
    assert await passed(tasks) == 12


async def test_turns_are_shared_by_keys_whatever_worker_they_are_at(three: Workers) -> None:
    """A greedy key waits at every worker, and each of five others at one, three times."""
    served: Counter[str] = Counter()

    all_served = asyncio.Event()

    async def ask(lane: SharedLane, key: str) -> None:
        await lane.take(Asker(key), wait_s=5)
        served[key] += 1
        if sum(served.values()) == 18:
            all_served.set()

    for number in range(12):  # the minute is full, so that all the others have to wait
        await three.lanes[number % 3].take(Asker("before"), wait_s=2)
    waiting = [asyncio.create_task(ask(lane, "greedy")) for lane in three.lanes for _ in range(20)]
    waiting += [
        asyncio.create_task(ask(three.lanes[number % 3], f"slow{number}"))
        for number in range(5)
        for _ in range(3)
    ]
    await asyncio.sleep(0.1)
    for lane in three.lanes:
        lane.set_rate(12 + 18, 1)
    await asyncio.wait_for(all_served.wait(), 5)
    assert served == {"greedy": 3, **{f"slow{number}": 3 for number in range(5)}}
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_a_dead_worker_waited_for_is_given_to_others(three: Workers) -> None:
    dead, living, _ = three.lanes
    for _ in range(12):
        await living.take(Asker("before"), wait_s=2)
    lost = asyncio.create_task(dead.take(Asker("lost"), wait_s=30))
    await asyncio.sleep(0.1)
    assert dead._asking is not None
    dead._asking.cancel()  # as killed: it says no more, and takes nothing back
    lost.cancel()
    living.set_rate(13, 1)
    # Its turn came first, and is given up once the worker counts as dead.
    assert await living.take(Asker("next"), wait_s=8) < 6


async def test_without_redis_each_worker_has_its_share(tmp_path: Path) -> None:
    link = shared.link(f"unix://{tmp_path}/nothing.sock")
    lane = SharedLane("@cf/a/model", 12, link, share=4)
    tasks = [asyncio.create_task(lane.take(Asker("a"), wait_s=0.5)) for _ in range(9)]
    assert await passed(tasks) == 4
    lane.close()


async def test_a_redis_that_comes_back_empty_learns_what_was_given(
    three: Workers, server: RedisServer
) -> None:
    lane = three.lanes[0]
    for _ in range(12):
        await lane.take(Asker("before"), wait_s=2)
    server.stop()
    waiting = asyncio.create_task(lane.take(Asker("late"), wait_s=4))
    await asyncio.sleep(0.2)
    server.start()
    with pytest.raises(TurnMissed):
        await waiting
    with redis.Redis.from_url(server.url) as direct:
        assert direct.zcard(f"{shared.PREFIX}:@cf/a/model:at") == 12


@pytest.mark.parametrize("away_s", [0.0, 1.0])
async def test_a_redis_that_comes_back_empty_gives_nothing_before_all_have_told(
    three: Workers, server: RedisServer, monkeypatch: pytest.MonkeyPatch, away_s: float
) -> None:
    """Also what workers gave at which nobody waits any more."""
    monkeypatch.setattr(shared, "ALL_TOLD_S", 8.0)
    idle, other, asking = three.lanes
    await asking.take(Asker("early"), wait_s=2)
    for lane in (idle, other):
        for _ in range(5):
            await lane.take(Asker("before"), wait_s=2)
    server.stop()
    await asyncio.sleep(away_s)
    server.start()
    tasks = [asyncio.create_task(asking.take(Asker("late"), wait_s=12)) for _ in range(6)]
    assert await passed(tasks) == 1


async def test_a_redis_that_forgot_is_told_at_once(three: Workers, server: RedisServer) -> None:
    lane = three.lanes[0]
    for _ in range(11):
        await lane.take(Asker("before"), wait_s=2)
    with redis.Redis.from_url(server.url) as direct:
        direct.flushall()
    tasks = [asyncio.create_task(lane.take(Asker("late"), wait_s=2)) for _ in range(3)]
    assert await passed(tasks) == 1


async def test_redis_is_left_alone_once_what_was_given_is_a_minute_old(
    three: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "WATCH_PAUSE_S", 0.01)
    lane = three.lanes[0]
    await lane.take(Asker("a"), wait_s=2)
    lane._given.clear()
    assert lane._asking is not None
    await asyncio.wait_for(lane._asking, 10)
    await lane.take(Asker("a"), wait_s=2)
