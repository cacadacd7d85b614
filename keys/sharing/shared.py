"""A lane whose rate all workers and hosts share through Redis. Without Redis: an equal share each.

Only a lane that somebody waits for, or that has a rate at all, asks Redis.
"""

import asyncio
import contextlib
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
        self._names = [f"{PREFIX}:{name.replace(' ', '_')}:{part}" for part in ("at", "of", "had")]
        self._asking: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._has_room = False
        self._was_away = False

    def set_rate(self, per_minute: int, share: int) -> None:
        super().set_rate(per_minute, share)
        self.shared_per_minute = per_minute

    def serve(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        elif self._has_room:
            self._news.set()

    async def _ask(self) -> None:
        """Asks for turns as long as somebody waits here, and once more when nobody does: so that no
        other worker leaves a turn for this one."""
        while self.line.length:
            self._news.clear()
            pause_s = await self._asked()
            if self.line.length:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), pause_s)
        await self._link.run(TURNS, self._names, self._words())
        if self.line.length:
            await self._ask()

    async def _asked(self) -> float:
        """Serves whom Redis names; seconds until it should be asked again."""
        if self._was_away and await self._link.run(RESTORE, self._names[:1], self._own_turns()):
            self._was_away = False
        answer = None
        if not self._was_away:
            answer = await self._link.run(TURNS, self._names, self._words())
        if answer is None:
            self._was_away = True
            self._has_room = False
            super().serve()
            return AWAY_PAUSE_S
        self._full_at_first = False
        room, pause_ms, *served = answer
        self._has_room = int(room) > 0
        for key in served:
            self.note_given()
            self.line.serve_key(key.decode())
        return min(max(int(pause_ms) / 1000, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)

    def _own_turns(self) -> list[str | int]:
        now = self._clock()
        return [self._worker, *(f"{now - at:.6f}" for at in self._given if now - at < WINDOW_S)]

    def _words(self) -> list[str | int]:
        words: list[str | int] = [self._worker, self.shared_per_minute, int(self._full_at_first)]
        for key, weight, count in self.line.waiting():
            words += [key, weight, count]
        return words
