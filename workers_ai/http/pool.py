"""The connections to Cloudflare of one event loop, kept open between requests.

The one that was used last is used next, so that those that are not needed get old and are closed.
No caller gets all of them (`fair_semaphore.py`). Failures are httpx's, told apart by whether the
request may have been sent: ConnectError, ProxyError and ConnectTimeout when it certainly was not,
PoolTimeout when no connection was free, RemoteProtocolError when the connection broke before the
answer began, or it is no HTTP.
"""

import asyncio
from collections import deque
from typing import Final

import httpx

from workers_ai.http.connection import Connection, Content, Method
from workers_ai.http.decoded import AnyResponse, decoded
from workers_ai.http.fair_semaphore import FairSemaphore
from workers_ai.http.proxy import Proxy
from workers_ai.http.route import Route

KEPT_IDLE_S: Final = 60.0


class ConnectionPool:
    """Connections to the host of `url`, at most `max_connections`. `connect_s` and `pool_s` bound
    the waits before a request is sent; what follows is watched by whoever reads.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        max_connections: int,
        connect_s: float,
        pool_s: float,
        proxy: Proxy | None = None,
    ) -> None:
        self._route = Route(url, connect_s=connect_s, proxy=proxy)
        self._max_connections = max_connections
        self._pool_s = pool_s
        # Each slot is the right to one connection, to an idle one or else to a new one: those that
        # are open are never more than the slots.
        self._slots = FairSemaphore(max_connections)
        # All that are open, and those of them that nobody uses, oldest first.
        self._open: set[Connection] = set()
        self._idle: deque[tuple[Connection, float]] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def request(
        self,
        method: Method,
        target: bytes,
        headers: bytes,
        content: Content | None = None,
        *,
        caller: str = "",
    ) -> AnyResponse:
        """Sends a request and waits for the head of its answer; `headers` as `header_lines` makes
        them.

        `caller` is whoever shares the connections with others, by any text. A compressed body is
        decoded as it is read; raises httpx.DecodingError for what nobody was told that we take.
        """
        if not self._slots.try_acquire(caller):
            await self._turn(caller)
        connection = self._idle_one() or await self._opened(caller)
        connection.caller = caller
        response = connection.send(method, target, headers, content)
        try:
            await response.begun()
            return decoded(response) if "content-encoding" in response.headers else response
        except BaseException:
            response.close()
            raise

    async def aclose(self) -> None:
        """Closes every connection, whatever is under way on it."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        self._route.close()
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()

    # --- from the connections -----------------------------------------------------------------

    def is_free(self, connection: Connection) -> None:
        if self._is_closed:
            connection.abort()
            return
        self._idle.append((connection, connection.loop.time()))
        if self._sweep is None:
            self._sweep = connection.loop.call_later(KEPT_IDLE_S, self._close_old)
        self._release(connection)

    def is_lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._release(connection)

    # ------------------------------------------------------------------------------------------

    def _release(self, connection: Connection) -> None:
        caller, connection.caller = connection.caller, None
        if caller is not None:
            self._slots.release(caller)

    def _idle_one(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def _turn(self, caller: str) -> None:
        try:
            async with asyncio.timeout(self._pool_s):
                await self._slots.acquire(caller)
        except TimeoutError:
            raise httpx.PoolTimeout(
                f"of {self._max_connections} connections all that this caller may have are in use"
            ) from None

    async def _opened(self, caller: str) -> Connection:
        """A new connection, for which the caller has a slot."""
        connection = Connection(self, asyncio.get_running_loop())
        try:
            await self._route.connect(connection)
            if self._is_closed or not connection.is_usable:
                raise httpx.ConnectError("the connection was closed as soon as it was open")
        except BaseException:
            connection.abort()
            self._slots.release(caller)
            raise
        self._open.add(connection)
        return connection

    def _close_old(self) -> None:
        self._sweep = None
        while self._idle:
            connection, since = self._idle[0]
            left_s = since + KEPT_IDLE_S - connection.loop.time()
            if connection.is_usable and left_s > 0:
                self._sweep = connection.loop.call_later(left_s, self._close_old)
                return
            self._idle.popleft()
            connection.abort()
