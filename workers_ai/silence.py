"""The time limits of waiting for upstream: for the first byte, between two reads, in all.

One timer for each answer that takes long, not for each read: when it fires it reads the clock and
starts again if something has arrived meanwhile, so that a read costs two assignments.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar

from workers_ai.errors import TimedOut

Read = TypeVar("Read")
# When the whole time is over while nobody waits for upstream, how soon it is looked again.
_LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `first_byte_s` runs from the call to the first byte of the body, `idle_s` between
    two reads; `total_s` bounds a stream from the call to its end, whatever it brings.
    """

    connect_s: float = 10.0
    pool_s: float = 10.0
    first_byte_s: float = 300.0
    idle_s: float = 120.0
    total_s: float = 3600.0

    @property
    def whole_s(self) -> float:
        """For an answer that is read whole. Such a one is made before it is sent, so that it need
        not come drop by drop."""
        return min(self.first_byte_s + self.idle_s, self.total_s)


class Silences:
    """Those of one client, on one event loop. Nearly every answer begins before its first limit;
    these limits fall due in the order in which the calls began, and have one timer together.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self.whole_s = timeouts.whole_s
        # No later than anything can be due.
        self._first_s = min(timeouts.first_byte_s, self.whole_s, timeouts.idle_s)
        self._loop: asyncio.AbstractEventLoop | None = None
        # Those that were not looked at yet, with the moment in which they are.
        self._line: dict[Silence, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> "Silence":
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        now = loop.time()
        silence = Silence(self, loop, now)
        due = self._line[silence] = now + self._first_s
        if self._timer is None:
            self._timer = loop.call_at(due, self._look)
        return silence

    def leave(self, silence: "Silence") -> None:
        self._line.pop(silence, None)

    def _look(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        due = list(takewhile(lambda each: self._line[each] <= now, self._line))
        for silence in due:
            del self._line[silence]
            silence.look()
        # Many have left meanwhile, and it is the first one's turn next.
        following = next(iter(self._line.values()), None)
        self._timer = None if following is None else self._loop.call_at(following, self._look)


class Silence:
    """Ends a wait for upstream with TimedOut. Begins with the call; `close` it at the end.

    The time in which nobody waits, since the client takes no more, is no silence of upstream's.
    """

    __slots__ = (
        *("_among", "_began", "_due", "_expired", "_limit_s", "_task", "_timer", "_total_s"),
        *("has_begun", "loop", "since"),
    )

    def __init__(self, among: Silences, loop: asyncio.AbstractEventLoop, now: float) -> None:
        self.loop = loop
        self._among = among
        self._began = now
        self._total_s = among.whole_s
        self._limit_s = among.timeouts.first_byte_s
        self.has_begun = False
        # When this silence began; None while nobody waits.
        self.since: float | None = now
        self._task: asyncio.Task[Any] | None = None
        self._expired: TimedOut | None = None
        # Its own, once it was looked at.
        self._timer: asyncio.TimerHandle | None = None

    def of_a_stream(self) -> None:
        """The answer is one whose end need not come soon."""
        self._total_s = self._among.timeouts.total_s

    def broken(self) -> None:
        """Something came of the body; whoever waits waits on."""
        now = self.since = self.loop.time()
        if not self.has_begun:
            self.has_begun = True
            self._limit_s = self._among.timeouts.idle_s
            if self._timer is not None and self._due > now + self._limit_s:
                self._timer.cancel()
                self.look()

    async def wait_for(self, read: Awaitable[Read]) -> Read:
        if self.has_begun:
            self.since = self.loop.time()
        self._task = asyncio.current_task(self.loop)
        try:
            return await read
        except asyncio.CancelledError:
            if self._expired is None:
                raise
            if self._task is not None and self._task.uncancel() > 0:
                raise  # somebody else cancelled as well: theirs counts
            raise self._expired from None
        finally:
            self._task = None
            if self.has_begun:
                self.since = None

    def look(self) -> None:
        """Ends the wait when it is time, or looks again when it may be."""
        now = self.loop.time()
        phase, limit_s = "total", self._total_s
        due = self._began + self._total_s
        if self.since is not None and self.since + self._limit_s <= due:
            phase, limit_s = "idle" if self.has_begun else "first_byte", self._limit_s
            due = self.since + self._limit_s
        if now < due - 0.001:
            if self.since is None:  # nobody waits, and may do so any moment
                due = min(due, now + self._limit_s)
            self._arm(due)
        elif self._task is None:
            self._arm(now + _LOOK_AGAIN_S)
        else:
            self._expired = TimedOut(phase, limit_s)
            self._task.cancel()

    def _arm(self, due: float) -> None:
        self._due = due
        self._timer = self.loop.call_at(due, self.look)

    def close(self) -> None:
        if self._timer is None:
            self._among.leave(self)
        else:
            self._timer.cancel()
