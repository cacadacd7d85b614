"""A lane whose rate all workers and hosts share through Redis. Without Redis: an equal share each.

Only a lane that somebody waits for, or that has a rate at all, asks Redis.
"""

import asyncio
import contextlib
import math
import time
import uuid
from typing import Final

from keys.limits.redis_link import RedisLink
from keys.sharing.lanes import WINDOW_S, Lane
from keys.sharing.turns_script import DEMAND_S, RESTORE, TURNS

PREFIX: Final = "wai:turns"
SHORTEST_PAUSE_S: Final = 0.02
# What waits here must be told anew before it counts as dead.
LONGEST_PAUSE_S: Final = DEMAND_S / 4
# While Redis is away, how often it is looked for.
AWAY_PAUSE_S: Final = 0.5
# How often it is looked after while nobody waits, until the turns given here are a minute old.
WATCH_PAUSE_S: Final = 1.0
# Within this time all workers have found a Redis that is back, and told it what they gave.
ALL_TOLD_S: Final = 4.0
STRANGER: Final = [b"stranger"]


def link(url: str) -> RedisLink:
    """A connection of its own: turns and limits do not wait for each other."""
    return RedisLink(url, scripts=(TURNS, RESTORE), clock=time.monotonic, on_connect=lambda: None)


class SharedLane(Lane):
    """`share` is what this worker may do alone."""

    def __init__(
        self,
        name: str,
        per_minute: int,
        link: RedisLink,
        *,
        share: int,
        full_at_first: bool = False,
    ) -> None:
        super().__init__(name, share, full_at_first=full_at_first)
        self.shared_per_minute = per_minute
        self._link = link
        self._full_at_first = full_at_first
        self._worker = uuid.uuid4().hex[:12]
        parts = ("at", "of", "had", self._worker)
        self._names = [f"{PREFIX}:{name.replace(' ', '_')}:{part}" for part in parts]
        self._asking: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._has_room = False
        # Whether Redis has heard what was given here, as far as this worker knows.
        self._is_known = False
        self._is_away = False
        # Until then others may have more to tell, so that nobody gives anything.
        self._quiet_until = -math.inf

    def set_rate(self, per_minute: int, share: int) -> None:
        super().set_rate(per_minute, share)
        self.shared_per_minute = per_minute

    def serve(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        elif self._has_room or self.line.length == 1:
            self._news.set()

    def close(self) -> None:
        super().close()
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        """Asks for turns as long as somebody waits here, and once more when nobody does: so that no
        other worker leaves a turn for this one. Then watches Redis until what was given here is a
        minute old: one that comes back empty has to hear of it before it gives more."""
        while True:
            self._news.clear()
            somebody_waits = self.line.length > 0
            pause_s = await self._asked()
            if not self.line.length and not somebody_waits and not self._is_away:
                self._forget(self._clock())
                if not self._given:
                    return
                pause_s = WATCH_PAUSE_S
            elif bool(self.line.length) is not somebody_waits:
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause_s)

    async def _asked(self) -> float:
        """Serves whom Redis names; seconds until it should be asked again."""
        answer = await self._answer()
        if answer == STRANGER:
            self._is_known = False
            answer = await self._answer()
        self._is_away = answer is None
        self._has_room = False
        if answer is None:
            self._is_known = False
            super().serve()
            return AWAY_PAUSE_S
        if not answer:
            return max(self._quiet_until - self._clock(), SHORTEST_PAUSE_S)
        self._full_at_first = False
        room, pause_ms, *served = answer
        self._has_room = int(room) > 0
        for key in served:
            self.note_given()
            self.line.serve_key(key.decode())
        return min(max(int(pause_ms) / 1000, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)

    async def _answer(self) -> list[bytes] | None:
        """Redis's; empty as long as nobody should give anything, None while Redis is away."""
        if not self._is_known:
            told = await self._link.run(RESTORE, self._names[::3], self._own_turns())
            if told is None:
                return None
            self._is_known = True
            self._quiet_until = self._link.reconnected_at + ALL_TOLD_S
        if self._clock() < self._quiet_until:
            return []
        return await self._link.run(TURNS, self._names, self._words())

    def _own_turns(self) -> list[str | int]:
        if self._full_at_first and not self._is_away:
            return [self._worker]  # none yet: those of a full minute are the script's to tell
        now = self._clock()
        return [self._worker, *(f"{now - at:.6f}" for at in self._given if now - at < WINDOW_S)]

    def _words(self) -> list[str | int]:
        words: list[str | int] = [self._worker, self.shared_per_minute, int(self._full_at_first)]
        for key, weight, count in self.line.waiting():
            words += [key, weight, count]
        return words
