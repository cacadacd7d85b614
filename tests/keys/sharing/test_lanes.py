import asyncio
import contextlib
from collections import Counter

import pytest

from keys.sharing import lanes
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
    assert missed.value.retry_after_s == lanes.WINDOW_S
    assert lane.line.length == 0
    clock.now += lanes.WINDOW_S
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


async def test_a_full_line_has_room_for_keys_that_wait_with_less() -> None:
    """Whoever has the most in it gives way, its user with the most and what came last."""
    lane = Lane("model", 1, clock=Clock())
    await lane.take(Asker("early"), wait_s=1)

    def waiting(key: str, user: str = "") -> "asyncio.Task[float]":
        return asyncio.ensure_future(lane.take(Asker(key, user=user), wait_s=60, room=4))

    greedy = [waiting("greedy", user) for user in ("a", "b", "b", "b")]
    await asyncio.sleep(0)
    late = waiting("late")
    with pytest.raises(TurnMissed):
        await greedy[3]
    with pytest.raises(TurnMissed):
        await waiting("greedy", "c")
    also_late = waiting("also late")
    with pytest.raises(TurnMissed):
        await greedy[2]
    latest = waiting("latest")
    done, left = await asyncio.wait(greedy[:2], return_when=asyncio.FIRST_COMPLETED)
    assert [type(task.exception()) for task in done] == [TurnMissed]
    # Now each key has one, and nobody gives way.
    with pytest.raises(TurnMissed):
        await waiting("too late")
    still = [*left, late, also_late, latest]
    assert lane.line.length == 4
    assert not any(task.done() for task in still)
    for task in still:
        task.cancel()
    await asyncio.gather(*still, return_exceptions=True)
    assert lane.line.length == 0


async def test_a_full_minute_opens_bit_by_bit() -> None:
    clock = Clock()
    lane = Lane("model", 6, full_at_first=True, clock=clock)
    passed = 0
    for _ in range(61):
        clock.now += 1
        try:
            await lane.take(Asker("a"), wait_s=0.001)
            passed += 1
        except TurnMissed:
            pass
    assert passed == 6


@pytest.mark.parametrize("slow_a_minute", [2, 10])
async def test_over_minutes_the_slow_get_theirs_beside_a_greedy_one(slow_a_minute: int) -> None:
    """Ten minutes of six keys at 20 a minute, of which one asks twenty times as fast as the
    others. The first minute goes to whoever comes first; the others catch up on it."""
    clock = Clock()
    lane = Lane("model", 20, clock=clock)
    served: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    passed_at: list[float] = []
    tasks = []

    async def ask(key: str) -> None:
        with contextlib.suppress(TurnMissed):
            await lane.take(Asker(key), wait_s=3600)
            served[key] += 1
            passed_at.append(clock.now)

    every_s = {f"slow{n}": 60 / slow_a_minute for n in range(5)}
    every_s["greedy"] = 60 / slow_a_minute / 20
    next_at = {
        key: clock.now + 7 * number % every for number, (key, every) in enumerate(every_s.items())
    }
    for _ in range(600):
        clock.now += 1
        for key, every in every_s.items():
            while next_at[key] <= clock.now:
                next_at[key] += every
                asked[key] += 1
                tasks.append(asyncio.ensure_future(ask(key)))
        await asyncio.sleep(0)
        lane.serve()
        await asyncio.sleep(0)
    assert sum(served.values()) == 200
    for n in range(5):
        # What came in the last minute may still wait.
        theirs = min(asked[f"slow{n}"] - slow_a_minute, 200 / 6 * 0.95)
        assert served[f"slow{n}"] >= theirs, served
    for begin in passed_at:
        assert sum(begin <= moment < begin + 60 for moment in passed_at) <= 20
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_comes_later_is_ahead_by_a_part_of_a_minute_at_most() -> None:
    line = Line()
    line.credit = 3.0
    early = [Asker("early")] * 20
    served = order(line, early, joined(line, *early))
    assert len(served) == 20
    askers = [Asker("early")] * 6 + [Asker("late")] * 6
    assert order(line, askers, joined(line, *askers)) == [
        *["late"] * 4, "early", "late", "early", "late", *["early"] * 4
    ]  # fmt: skip


async def test_who_waits_is_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LOOK_S", 0.01)
    clock = Clock()
    lane = Lane("model", 1, clock=clock)
    await lane.take(Asker("a"), wait_s=1)

    def look() -> None:
        if clock.now > 1005:
            raise LookupError

    waiting = asyncio.ensure_future(lane.take(Asker("a"), wait_s=60, look=look))
    await asyncio.sleep(0)
    clock.now += 5
    assert lane.longest_wait_s() == 5
    clock.now += 1
    with pytest.raises(LookupError):
        await waiting
    assert (lane.line.length, lane.longest_wait_s()) == (0, 0)


async def test_only_the_last_minute_is_kept_in_memory() -> None:
    clock = Clock()
    lane = Lane("model", 5, clock=clock)
    for _ in range(500):
        clock.now += 1
        lane.note_given()
    assert len(lane._given) <= 61
