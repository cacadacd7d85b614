"""One HTTP/1.1 connection to Cloudflare, and the answer that is on its way over it.

httptools takes HTTP apart, as it does in the server in front. A stream can be taken in the very
call in which its bytes arrive, without waking a task for each of them.

Failures are httpx's: RemoteProtocolError before the head of an answer, ReadError after it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import httptools
import httpx

# What an answer may hold back from a slow reader before its connection stops reading.
MOST_UNREAD_BYTES: Final = 256 * 1024

# What arrived → None, or what has to be awaited before more is wanted.
Take = Callable[[bytes], Awaitable[None] | None]


class Owner(Protocol):
    """Who keeps a connection between two requests."""

    def is_free(self, connection: "Connection") -> None:
        """It has brought its answer and can take the next request."""

    def is_lost(self, connection: "Connection") -> None:
        """It is closed."""


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

    def __init__(self, connection: "Connection") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._connection = connection
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._ended = False
        self._failure: httpx.TransportError | None = None
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
                raise self._failure
            await self._news()

    async def read(self) -> bytes:
        """What came since the last read, at least a byte; empty at the end."""
        while not self._unread:
            if self._failure is not None:
                raise self._failure
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
            raise self._failure
        if self._ended:
            return None
        self._connection.resume()
        self._take = take
        try:
            waits_for = await self._news()
        finally:
            self._take = None
        if self._failure is not None and waits_for is None:
            raise self._failure
        return waits_for

    def stop(self) -> None:
        """Ends `deliver` after the read that it is at; what comes later can be read."""
        self._stopped = True

    def close(self) -> None:
        """Gives up what has not come yet, and the connection with it."""
        if not self._ended:
            self._connection.abort()

    async def _news(self) -> Awaitable[None] | None:
        waiter = self._waiter = self._connection.loop.create_future()
        try:
            return await waiter
        finally:
            if self._waiter is waiter:  # and not yet that of who reads on
                self._waiter = None

    def _taken(self) -> bytes:
        unread = self._unread
        data = unread[0] if len(unread) == 1 else b"".join(unread)
        unread.clear()
        self._unread_bytes = 0
        self._connection.resume()
        return data

    # --- from the connection ------------------------------------------------------------------

    def began(self, status: int, headers: dict[str, str]) -> None:
        self.status, self.headers = status, headers
        self._wake()

    def arrived(self, data: bytes) -> None:
        waiter = self._waiter
        if self._take is None or waiter is None or waiter.done():
            self._unread.append(data)
            self._unread_bytes += len(data)
            if self._unread_bytes > MOST_UNREAD_BYTES:
                self._connection.pause()
            self._wake()
            return
        try:
            waits_for = self._take(data)
        except Exception as error:
            waiter.set_exception(error)
            return
        if waits_for is not None:
            self._connection.pause()
            waiter.set_result(waits_for)
        elif self._stopped:
            waiter.set_result(None)

    def ended(self) -> None:
        self._ended = True
        self._wake()

    def failed(self, failure: httpx.TransportError) -> None:
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """Sends one request at a time; goes back to its owner when the answer is in."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._is_paused = False
        # What the parser found in the read that it is at.
        self._parts: list[bytes] = []
        self._headers: dict[str, str] = {}
        self._is_complete = False
        self._can_stay = False
        # The parser calls it for each piece of a body, a chunk of a stream; so nothing is between.
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)
        # What other clients take as well: it is not for us to be stricter with Cloudflare.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    @property
    def is_usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, head: bytes, content: bytes) -> Response:
        """Sends a request; `head` is all up to the blank line and with it."""
        assert self._transport is not None
        assert self._response is None
        response = self._response = Response(self)
        self._is_complete = False
        if content:
            self._transport.writelines((head, content))
        else:
            self._transport.write(head)
        return response

    def abort(self) -> None:
        """Closes at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        if not self._is_paused and self.is_usable:
            assert self._transport is not None
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if self.is_usable:
                assert self._transport is not None
                self._transport.resume_reading()

    # --- asyncio's ----------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            self.abort()  # nobody asked
            return
        failure = ""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            failure = f"no HTTP: {error}"
        parts = self._parts
        if parts:
            arrived = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            response.arrived(arrived)
        if self._is_complete:
            self._finish(response, can_stay=self._can_stay and not failure)
        elif failure:
            self._fail(response, failure)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        response = self._response
        if response is not None:
            if error is None and _ends_with_connection(response):
                self._response = None
                response.ended()
            else:
                self._fail(response, "the connection was closed")
        self._owner.is_lost(self)

    # --- httptools' ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise ValueError("bytes behind the end of the answer that was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.lower().decode("latin-1"), value.decode("latin-1")
        headers = self._headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        headers, self._headers = self._headers, {}
        status = self._parser.get_status_code()
        # Those below 200 announce another one.
        if status >= 200 and self._response is not None:
            self._response.began(status, headers)

    def on_message_complete(self) -> None:
        if self._response is not None and self._response.status:
            self._is_complete = True
            self._can_stay = self._parser.should_keep_alive()

    # ------------------------------------------------------------------------------------------

    def _finish(self, response: Response, *, can_stay: bool) -> None:
        self._response = None
        response.ended()
        transport = self._transport
        if transport is None:
            return
        self.resume()
        # An answer to a request that is not sent to its end: what is left of it must not follow.
        if can_stay and not transport.get_write_buffer_size():
            self._owner.is_free(self)
        else:
            transport.abort()

    def _fail(self, response: Response, why: str) -> None:
        self._response = None
        failure = httpx.ReadError if response.status else httpx.RemoteProtocolError
        response.failed(failure(why))
        self.abort()


def _ends_with_connection(response: Response) -> bool:
    """An answer that says neither how long it is nor that it comes in chunks."""
    headers = response.headers
    return (
        response.status > 0
        and "content-length" not in headers
        and "chunked" not in headers.get("transfer-encoding", "").lower()
    )
