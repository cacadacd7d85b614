"""An answer that is on its way, as one connection brings it.

A stream can be taken in the very call in which its bytes arrive, without waking a task for each of
them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import httpx

# What an answer may hold back from a slow reader before its connection stops reading.
MOST_UNREAD_BYTES: Final = 256 * 1024

# What arrived → None, or what has to be awaited before more is wanted.
Take = Callable[[bytes], Awaitable[None] | None]


class Source(Protocol):
    """The connection, as its answer needs it."""

    loop: asyncio.AbstractEventLoop

    def abort(self) -> None:
        """Closes at once, whatever is under way."""

    def pause(self) -> None:
        """Brings nothing more until `resume`."""

    def resume(self) -> None: ...


class Response:
    """An answer as it arrives. `status` and `headers`, whose names are in lower case, are there
    after `begun`. Has one reader; close it unless it was read to its end.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_failure",
        "_stopped",
        "_take",
        "_unread",
        "_unread_bytes",
        "_waiter",
        "headers",
        "status",
    )

    def __init__(self, connection: Source) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._connection = connection
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._ended = False
        # Makes the error each time anew: one that is kept refers to who raised it, and both would
        # stay until the garbage collector runs.
        self._failure: Callable[[], httpx.TransportError] | None = None
        self._take: Take | None = None
        self._stopped = False
        self._waiter: asyncio.Future[Awaitable[None] | None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether all of it was read."""
        return self._ended and not self._unread

    async def begun(self) -> None:
        """Waits for status and headers."""
        while not self.status:
            if self._failure is not None:
                raise self._failure()
            await self._news()

    async def read(self) -> bytes:
        """What came since the last read, at least a byte; empty at the end."""
        while not self._unread:
            if self._failure is not None:
                raise self._failure()
            if self._ended:
                return b""
            await self._news()
        return self._taken()

    async def deliver(self, take: Take) -> Awaitable[None] | None:
        """Gives `take` what each network read brings, in the moment it does. Returns at the end,
        after `stop`, or with what `take` wants to be awaited first; then call it again.

        What `take` raises is raised here.
        """
        if self._unread:
            first = take(self._taken())
            if first is not None or self._stopped:
                return first
        if self._failure is not None:
            raise self._failure()
        if self._ended:
            return None
        self._connection.resume()
        self._take = take
        try:
            waits_for = await self._news()
        finally:
            self._take = None
        if self._failure is not None and waits_for is None:
            raise self._failure()
        return waits_for

    def stop(self) -> None:
        """Ends `deliver` after the read that it is at; what comes later can be read."""
        self._stopped = True

    def at_hand(self) -> bytes:
        """What came since the last read, without waiting; empty where nothing did."""
        return self._taken() if self._unread else b""

    def close(self) -> None:
        """Gives up what has not come yet, and the connection with it."""
        if not self._ended:
            self._connection.abort()

    def _news(self) -> "asyncio.Future[Awaitable[None] | None]":
        """Done once something has come."""
        waiter = self._waiter = self._connection.loop.create_future()
        return waiter

    def _taken(self) -> bytes:
        unread = self._unread
        data = unread[0] if len(unread) == 1 else b"".join(unread)
        unread.clear()
        self._unread_bytes = 0
        if not self._ended:  # else the connection may bring somebody else's answer
            self._connection.resume()
        return data

    # --- from the connection ------------------------------------------------------------------

    def began(self, status: int, headers: dict[str, str]) -> None:
        self.status, self.headers = status, headers
        if self._waiter is not None:
            self._wake()

    def arrived(self, data: bytes) -> None:
        take = self._take
        if take is None:
            self._unread.append(data)
            self._unread_bytes += len(data)
            if self._unread_bytes > MOST_UNREAD_BYTES:
                self._connection.pause()
            if self._waiter is not None:
                self._wake()
            return
        try:
            waits_for = take(data)
        except Exception as error:
            self._wake(failed=error)
            return
        if waits_for is not None:
            self._connection.pause()
            self._wake(waits_for)
        elif self._stopped:
            self._wake()

    def ended(self) -> None:
        self._ended = True
        if self._waiter is not None:
            self._wake()

    def failed(self, failure: Callable[[], httpx.TransportError]) -> None:
        self._failure = failure
        if self._waiter is not None:
            self._wake()

    def _wake(
        self, waits_for: Awaitable[None] | None = None, *, failed: Exception | None = None
    ) -> None:
        """Tells whoever waits, once; they may have been cancelled meanwhile. They go on in the
        loop's next turn, and what arrives until then is kept for them.
        """
        self._take = None
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if failed is None:
            waiter.set_result(waits_for)
        else:
            waiter.set_exception(failed)
