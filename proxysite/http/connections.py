"""What the connections of a worker share: a clock that costs nothing to read, the look at all of
them that comes now and then, and whether the worker is about to stop.
"""

import asyncio
import math
from typing import Any, Final, NamedTuple, Protocol

from uvicorn.server import ServerState

from proxysite.http.forwarded import Forwarded
from proxysite.http.taken import cut, progress

LOOK_EVERY_S: Final = 0.25
# How often it is seen whether clients take what is written: a system call for each that should.
LOOK_WHETHER_TAKEN_EVERY_S: Final = 5.0


class Bounds(NamedTuple):
    """Seconds: for a head, between the parts of a body, without a request, and without taking any
    of an answer.
    """

    head_s: float
    body_s: float
    idle_s: float
    write_s: float


class Connection(Protocol):
    """What is looked at."""

    deadline: float
    transport: Any

    @property
    def is_answering(self) -> bool: ...

    def overdue(self) -> None: ...


class Connections(ServerState):
    """`now` is the loop's time as it was at the last look."""

    connections: set[Any]

    def __init__(self, bounds: Bounds, forwarded: Forwarded | None = None) -> None:
        super().__init__()
        self.bounds = bounds
        self.forwarded = forwarded
        self.now = 0.0
        # Answers are their connection's last: clients go elsewhere before the worker stops.
        self.is_draining = False
        self._stalled: dict[Connection, tuple[int, float]] = {}
        self._look_whether_taken_at = -math.inf

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on all connections are looked at, for as long as the loop runs."""
        self.look(loop.time())
        loop.call_later(LOOK_EVERY_S, self.begin, loop)

    def look(self, now: float) -> None:
        self.now = now
        for connection in tuple(self.connections):
            if connection.deadline <= now:
                connection.overdue()
        if now >= self._look_whether_taken_at:
            self._look_whether_taken_at = now + min(
                LOOK_WHETHER_TAKEN_EVERY_S, self.bounds.write_s / 4
            )
            self._look_whether_taken(now)

    def _look_whether_taken(self, now: float) -> None:
        """Cuts the connections of which nothing was taken for `write_s`.

        `_stalled` has those that hold something for their client: what they had taken of all that
        was ever sent, and since when it is that much.
        """
        stalled: dict[Connection, tuple[int, float]] = {}
        for connection in tuple(self.connections):
            transport = connection.transport
            if not (connection.is_answering or transport.get_write_buffer_size()):
                continue
            taken, is_all = progress(transport)
            if is_all:
                continue
            before, since = self._stalled.get(connection, (-1, now))
            if taken != before:
                since = now
            if now - since < self.bounds.write_s:
                stalled[connection] = taken, since
            else:
                cut(transport)
        self._stalled = stalled
