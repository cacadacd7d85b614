import asyncio
from collections import Counter

import pytest

from keys.sharing.lanes import Lane, TurnMissed
from keys.sharing.line import Asker, Line, Turn


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def joined(line: Line, *askers: Asker) -> list[Turn]:
    loop = asyncio.get_running_loop()
    turns = [loop.create_future() for _ in askers]
    for asker, turn in zip(askers, turns, strict=True):
        line.join(asker, turn)
    return turns


def order(line: Line, askers: list[Asker], turns: list[Turn]) -> list[str]:
    served = []
    while line.length:
        before = [turn.done() for turn in turns]
        line.serve()
        served += [
            f"{asker.key}{asker.user}"
            for asker, turn, was in zip(askers, turns, before, strict=True)
            if turn.done() and not was
        ]
    return served


async def test_keys_and_their_users_are_served_in_turn() -> None:
    askers = [
        *[Asker("greedy")] * 4,
        Asker("shared", user="1"),
        Asker("shared", user="1"),
        Asker("shared", user="2"),
        Asker("last"),
    ]
    line = Line()
    turns = joined(line, *askers)
    assert order(line, askers, turns) == [
        *("greedy", "shared1", "last"),
        *("greedy", "shared2", "greedy", "shared1", "greedy"),
    ]


async def test_a_weight_is_how_often_a_key_is_served_at_a_time() -> None:
    askers = [Asker("light")] * 4 + [Asker("heavy", weight=3)] * 6
    line = Line()
    served = order(line, askers, joined(line, *askers))
    assert served == ["light", *["heavy"] * 3, "light", *["heavy"] * 3, "light", "light"]


async def test_who_leaves_takes_no_turn() -> None:
    line = Line()
    askers = [Asker("a"), Asker("a"), Asker("b")]
    turns = joined(line, *askers)
    line.leave(askers[0], turns[0])
    line.leave(askers[0], turns[0])
    assert line.length == 2
    assert order(line, askers, turns) == ["a", "b"]
    assert not turns[0].done()


async def test_within_the_rate_nobody_waits_and_no_more_pass() -> None:
    clock = Clock()
    lane = Lane("model", 3, clock=clock)
    for _ in range(3):
        assert await lane.take(Asker("a"), wait_s=1) == 0.0
    with pytest.raises(TurnMissed) as missed:
        await lane.take(Asker("a"), wait_s=0.01)
    assert missed.value.retry_after_s == 60.0
    assert lane.line.length == 0
    clock.now += 60
    assert await lane.take(Asker("a"), wait_s=1) == 0.0


async def test_no_more_wait_than_there_is_room_for() -> None:
    lane = Lane("model", 1, clock=Clock())
    await lane.take(Asker("a"), wait_s=1)
    waiting = asyncio.ensure_future(lane.take(Asker("a"), wait_s=5))
    await asyncio.sleep(0)
    with pytest.raises(TurnMissed):
        await lane.take(Asker("b"), wait_s=5, room=1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert lane.line.length == 0


async def test_a_full_minute_opens_bit_by_bit() -> None:
    clock = Clock()
    lane = Lane("model", 6, full_at_first=True, clock=clock)
    passed = 0
    for _ in range(60):
        clock.now += 1
        try:
            await lane.take(Asker("a"), wait_s=0.001)
            passed += 1
        except TurnMissed:
            pass
    assert passed == 6


async def test_over_minutes_the_slow_get_all_of_theirs_beside_a_greedy_one() -> None:
    """Ten minutes of six keys at 20 a minute: five ask twice a minute, one forty times."""
    clock = Clock()
    lane = Lane("model", 20, clock=clock)
    served: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    passed_at: list[float] = []
    tasks = []

    async def ask(key: str) -> None:
        try:
            await lane.take(Asker(key), wait_s=3600)
        except TurnMissed:
            return
        served[key] += 1
        passed_at.append(clock.now)

    for second in range(600):
        clock.now += 1
        lane.serve()
        for key in [*(f"slow{n}" for n in range(5) if (second + 7 * n) % 30 == 0)]:
            asked[key] += 1
            tasks.append(asyncio.ensure_future(ask(key)))
        if second % 3 < 2:
            asked["greedy"] += 1
            tasks.append(asyncio.ensure_future(ask("greedy")))
        await asyncio.sleep(0)
    # What came in the last minute may still wait.
    for n in range(5):
        assert served[f"slow{n}"] >= asked[f"slow{n}"] - 2
    assert sum(served.values()) == 200
    for begin in passed_at:
        assert sum(begin <= moment < begin + 60 for moment in passed_at) <= 20
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
