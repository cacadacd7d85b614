"""A lane: one rate of the account, in requests a minute, and who waits for it.

Within the rate nobody waits. The minute slides, so that upstream, whatever its own minute, never
sees more. Belongs to one event loop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from keys.sharing.line import Asker, Line, Turn

# A minute, and as much more as a request may be faster on its way than the one whose turn it gets:
# upstream must not see more in any minute of its own.
WINDOW_S: Final = 60.5
# The part of a minute's turns by which a key that comes to a full lane may be ahead of the others.
CREDIT: Final = 1 / 3
# How often a request that waits looks whether it is still wanted.
LOOK_S: Final = 2.0
# Of one lane's waiting requests in this process: each holds its body in memory.
MOST_WAITING: Final = 2_000


class TurnMissed(Exception):
    """No turn came in time, or too many wait. `retry_after_s` is when one is likely to."""

    def __init__(self, lane: str, per_minute: int, waited_s: float, retry_after_s: float) -> None:
        super().__init__(f"no turn among the account's {per_minute} requests a minute for {lane}")
        self.lane = lane
        self.per_minute = per_minute
        self.waited_s = waited_s
        self.retry_after_s = retry_after_s


class Lane:
    """Counts in this process alone. `full_at_first`: upstream just said that its minute is full, so
    turns come one after the other, spread over the minute.
    """

    def __init__(
        self,
        name: str,
        per_minute: int,
        *,
        full_at_first: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.per_minute = per_minute
        self.line = Line()
        self.line.credit = per_minute * CREDIT
        self._clock = clock
        self._given: deque[float] = deque()
        self._timer: asyncio.TimerHandle | None = None
        if full_at_first:
            now = clock()
            self._given.extend(
                now - WINDOW_S + WINDOW_S * (number + 1) / per_minute
                for number in range(per_minute)
            )

    async def take(
        self,
        asker: Asker,
        *,
        wait_s: float,
        room: int = MOST_WAITING,
        look: Callable[[], None] = lambda: None,
    ) -> float:
        """Waits for a turn; seconds waited. Raises TurnMissed after `wait_s`, or where as many as
        `room` wait and none waits for a key with more of them; and whatever `look` raises, which is
        called now and then."""
        began = self._clock()
        if self.line.length >= room and not self.line.make_room_for(asker):
            raise self._missed(0.0)
        turn: Turn = asyncio.get_running_loop().create_future()
        self.line.join(asker, turn, began)
        self.serve()
        if turn.done():
            return 0.0
        try:
            async with asyncio.timeout(wait_s):
                while not (await asyncio.wait((turn,), timeout=LOOK_S))[0]:
                    look()
        except TimeoutError:
            if not turn.done() or turn.cancelled():
                self.line.leave(asker, turn)
                raise self._missed(self._clock() - began) from None
        finally:
            self.line.leave(asker, turn)
        if turn.cancelled():
            raise self._missed(self._clock() - began)
        return self._clock() - began

    def serve(self) -> None:
        """Gives the turns that are free now, and comes back when the next one is."""
        now = self._clock()
        given = self._given
        self._forget(now)
        while self.line.length and len(given) < self.per_minute:
            self.line.serve()
            given.append(now)
        if self.line.length and self._timer is None:
            # After a pace was lowered the oldest of more than fit has to go first.
            next_s = given[len(given) - self.per_minute] + WINDOW_S - now
            self._timer = asyncio.get_running_loop().call_later(max(next_s, 0.001), self._again)

    def close(self) -> None:
        """Gives no further turns."""
        if self._timer is not None:
            self._timer.cancel()

    def set_rate(self, per_minute: int, share: int) -> None:
        """`per_minute` of all workers together, `share` of this one where it is on its own."""
        self.per_minute = share
        self.line.credit = share * CREDIT

    def longest_wait_s(self) -> float:
        """Of those who wait now."""
        oldest = self.line.oldest()
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest)

    def note_given(self) -> None:
        """A turn that somebody else gave counts here too."""
        now = self._clock()
        self._forget(now)
        self._given.append(now)

    def _forget(self, now: float) -> None:
        given = self._given
        while given and given[0] <= now - WINDOW_S:
            given.popleft()

    def next_turn_s(self) -> float:
        """When whoever comes now would have a turn, if all who wait stay; at least a second."""
        now, given = self._clock(), self._given
        ahead = len(given) - self.per_minute + self.line.length
        if ahead < 0:
            return 1.0
        minutes, place = divmod(ahead, len(given)) if given else (ahead // self.per_minute, 0)
        begin = given[place] if given else now
        return max(1.0, begin + WINDOW_S * (minutes + 1) - now)

    def _again(self) -> None:
        self._timer = None
        self.serve()

    def _missed(self, waited_s: float) -> TurnMissed:
        return TurnMissed(self.name, self.per_minute, waited_s, self.next_turn_s())
