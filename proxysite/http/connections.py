"""What the connections of a worker share: a clock that costs nothing to read, the look at all of
them that comes now and then, and whether the worker is about to stop.
"""

import asyncio
import logging
import math
from typing import Any, Final, NamedTuple, Protocol

from uvicorn.server import ServerState

from proxysite.http import open_files
from proxysite.http.forwarded import Forwarded
from proxysite.http.taken import cut, progress
from proxysite.http.worker_loads import worker_loads

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25
# How often it is seen whether clients take what is written: a system call for each that should.
LOOK_WHETHER_TAKEN_EVERY_S: Final = 5.0

# A few milliseconds where thousands are open.
MEASURE_EVERY_S: Final = 2.0
SAY_EVERY_S: Final = 10.0

# For how long a worker has too many connections before some are sent to the others, and how long
# those have to get there before it is done again.
TOO_MANY_FOR_S: Final = 1.0
SEND_AGAIN_S: Final = 2.0


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
    active_at: float
    transport: Any

    @property
    def waits_for_client(self) -> bool: ...

    @property
    def is_answering(self) -> bool: ...

    def overdue(self) -> None: ...


class Connections(ServerState):
    """`now` is the loop's time as it was at the last look, `place` the worker's among all of its
    host.
    """

    connections: set[Any]

    def __init__(
        self, bounds: Bounds, forwarded: Forwarded | None = None, place: int | None = None
    ) -> None:
        super().__init__()
        self.bounds = bounds
        self.forwarded = forwarded
        self.now = 0.0
        # Answers are their connection's last: clients go elsewhere before the worker stops.
        self.is_draining = False
        self._place = place
        # How many connections are to end with their next answer, for another worker to have them.
        self.to_send_away = 0
        self._send_away_at = math.inf
        self._stalled: dict[Connection, tuple[int, float]] = {}
        self._look_whether_taken_at = -math.inf
        # How many files clients and their requests may have, and what else is open at the start.
        self.room = open_files.usable(open_files.limit())
        self._open_otherwise = 0
        self._measure_at = -math.inf
        self._say_at = -math.inf

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on all connections are looked at, for as long as the loop runs."""
        self._open_otherwise = self._open_otherwise or open_files.in_use()
        loop.call_later(LOOK_EVERY_S, self.begin, loop)
        self.look(loop.time())

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

        if now >= self._measure_at:
            self._measure_at = now + MEASURE_EVERY_S
            self._measure()
        if self._place is not None:
            self._share(self._place, now)

    # --- the other workers --------------------------------------------------------------------

    def drain(self) -> None:
        self.is_draining = True
        if self._place is not None:
            worker_loads.withdraw(self._place)

    def _share(self, place: int, now: float) -> None:
        """Whichever worker wakes first takes a new connection, and may take all that come at once,
        or while another one starts. Clients keep them for hours: so a worker that has far more than
        an even share ends some with their next answer, and their clients come anew.
        """
        if self.is_draining:
            return
        worker_loads.tell(place, len(self.connections))
        beyond = worker_loads.beyond_share(place)
        if not beyond:
            self.to_send_away = 0
            self._send_away_at = now + TOO_MANY_FOR_S
        elif now >= self._send_away_at:
            cycles = [connection.cycle for connection in self.connections]
            leaving = sum(cycle is not None and not cycle.lives_on for cycle in cycles)
            self.to_send_away = max(0, beyond - leaving)
            self._send_away_at = now + SEND_AGAIN_S

    # --- files --------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether another connection or request could find no file left for it."""
        return len(self.connections) + len(self.tasks) > self.room

    def _measure(self) -> None:
        """Files that neither a client nor a request in flight stands for, such as connections to
        Cloudflare that wait for their next request, leave less room."""
        limit = open_files.limit()
        ours, otherwise = len(self.connections) + len(self.tasks), self._open_otherwise
        if ours > self.room // 2:
            otherwise = max(otherwise, open_files.in_use() - ours)
        self.room = open_files.usable(limit) - otherwise

    def make_room(self, newcomer: Connection) -> None:
        """Closes those whose client has been silent for longest, between requests or in the middle
        of one. An eighth of them at once: a crowd is not looked through for each that comes.
        """
        self._say_that_it_is_full()
        waiting = [one for one in self.connections if one.waits_for_client and one is not newcomer]
        waiting.sort(key=lambda one: one.active_at)
        for connection in waiting[: len(waiting) // 8 + 1]:
            self.connections.discard(connection)
            connection.transport.abort()

    def _say_that_it_is_full(self) -> None:
        if self.now < self._say_at:
            return
        self._say_at = self.now + SAY_EVERY_S
        logger.warning(
            "The limit of open files (%d) is nearly reached, with %d connections of clients and %d "
            "requests in flight: idle connections are closed, and new requests get 503. Raise the "
            "limit (ulimit -Hn, LimitNOFILE=, or ulimits of the container), or start more workers.",
            open_files.limit(),
            len(self.connections),
            len(self.tasks),
        )

    # --- clients that take nothing ------------------------------------------------------------

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
