"""The connections to Cloudflare of one event loop, kept open between requests.

The one that was used last is used next, so that those that are not needed get old and are closed.
Failures are httpx's, told apart by whether the request may have been sent: ConnectError and
ConnectTimeout when it certainly was not, PoolTimeout when no connection was free,
RemoteProtocolError when the connection broke before the answer began, or it is no HTTP.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Literal

import aiohappyeyeballs
import httpx

from workers_ai.http.connection import Connection
from workers_ai.http.decoded import AnyResponse, decoded

KEPT_IDLE_S: Final = 60.0
ADDRESSES_KEPT_S: Final = 10.0
# How long an address may take before the next one is tried beside it (RFC 8305).
NEXT_ADDRESS_AFTER_S: Final = 0.25


class ConnectionPool:
    """Connections to the host of `url`. `connect_s` and `pool_s` bound the waits before a request
    is sent; what follows is watched by whoever reads.
    """

    def __init__(
        self, url: httpx.URL, *, max_connections: int, connect_s: float, pool_s: float
    ) -> None:
        self._host = url.host
        self._is_secure = url.scheme == "https"
        self._port = url.port or (443 if self._is_secure else 80)
        self._max_connections = max_connections
        self._connect_s = connect_s
        self._pool_s = pool_s
        self._tls: ssl.SSLContext | None = None
        # All that are open, those of them that nobody uses, oldest first, and how many are to come.
        self._open: set[Connection] = set()
        self._idle: deque[tuple[Connection, float]] = deque()
        self._opening = 0
        # Each gets a connection, or None with the right to open one, which counts as to come.
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._addresses: asyncio.Task[list[Any]] | None = None
        self._addresses_until = 0.0
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def request(
        self,
        method: Literal[b"GET", b"POST"],
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        content: bytes = b"",
    ) -> AnyResponse:
        """Sends a request and waits for the head of its answer. No header may hold a line break.
        HEAD is not among the methods: the parser cannot be told that its answers have no body.

        A compressed body is decoded as it is read; raises httpx.DecodingError for what nobody was
        told that we take.
        """
        lines = [b"%b %b HTTP/1.1" % (method, target)]
        lines += [b"%b: %b" % header for header in headers]
        if content or method != b"GET":
            lines.append(b"content-length: %d" % len(content))
        connection = self._idle_one() or await self._next_one()
        response = connection.send(b"\r\n".join(lines) + b"\r\n\r\n", content)
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
        if self._addresses is not None:
            self._addresses.cancel()
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()

    # --- from the connections -----------------------------------------------------------------

    def is_free(self, connection: Connection) -> None:
        if self._is_closed:
            connection.abort()
            return
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(connection)
            return
        self._idle.append((connection, connection.loop.time()))
        if self._sweep is None:
            self._sweep = connection.loop.call_later(KEPT_IDLE_S, self._close_old)

    def is_lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._room_again()

    # ------------------------------------------------------------------------------------------

    def _idle_one(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def _next_one(self) -> Connection:
        while len(self._open) + self._opening >= self._max_connections:
            connection = await self._turn()
            if connection is None:
                return await self._opened()
            if connection.is_usable:
                return connection
        self._opening += 1
        return await self._opened()

    async def _turn(self) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self._pool_s):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._give_on(waiter.result())
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("no connection was free") from None
            raise

    def _give_on(self, given: Connection | None) -> None:
        """What came in the moment in which its receiver gave up."""
        if given is None:
            self._opening -= 1
            self._room_again()
        elif given.is_usable:
            self.is_free(given)

    def _room_again(self) -> None:
        if len(self._open) + self._opening < self._max_connections:
            waiter = self._next_waiter()
            if waiter is not None:
                self._opening += 1
                waiter.set_result(None)

    def _next_waiter(self) -> "asyncio.Future[Connection | None] | None":
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    async def _opened(self) -> Connection:
        """A new connection, which is counted as to come already."""
        loop = asyncio.get_running_loop()
        connection = Connection(self, loop)
        try:
            async with asyncio.timeout(self._connect_s):
                reached = await self._reached(loop)
                try:
                    await loop.create_connection(
                        lambda: connection,
                        sock=reached,
                        ssl=self._tls_context(),
                        server_hostname=self._host if self._is_secure else None,
                    )
                except BaseException:
                    reached.close()
                    raise
        except BaseException as error:
            connection.abort()
            self._opening -= 1
            self._room_again()
            if isinstance(error, TimeoutError):
                raise httpx.ConnectTimeout("no connection in time") from None
            if isinstance(error, OSError):
                self._addresses = None
                raise httpx.ConnectError(str(error)) from None
            raise
        self._opening -= 1
        self._open.add(connection)
        return connection

    async def _reached(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        if self._addresses is None or loop.time() >= self._addresses_until:
            # One question for all who want a connection now.
            self._addresses_until = loop.time() + ADDRESSES_KEPT_S
            asked = loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._addresses = loop.create_task(_listed(asked))
            # Should all who asked have gone meanwhile.
            self._addresses.add_done_callback(lambda task: task.cancelled() or task.exception())
        addresses = await asyncio.shield(self._addresses)
        reached = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER_S, interleave=1, loop=loop
        )
        reached.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return reached

    def _tls_context(self) -> ssl.SSLContext | None:
        if not self._is_secure:
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

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


async def _listed(asked: Any) -> list[Any]:
    return list(await asked)
