"""One request and its answer, as uvicorn serves them, and what is different here.

What is missing of a body can fail: then `receive` raises why. A client that asked to be told first
(`Expect: 100-continue`) and was not may send no body at all, so its connection ends with the
answer. HTTP/1.0 knows no chunks: there a body of unknown length ends with the connection.

Answers are written as uvicorn does, but a head is checked as a whole and not header by header (the
names of headers are in lower case, as ASGI says), and leaves together with its body or the first
block of it; and a block is written without a coroutine. Nor is there a signal for each request:
what has come is seen by looking, and mostly all of it is there before anybody asks. Who wants to
know that the client has gone is told in that moment.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from openai_api.errors import ApiError
from openai_api.wire.sending import begun
from proxysite.freed_memory import LARGE_BYTES, large_bodies
from proxysite.http.connections import Connections

# uvicorn's signal, for which nobody waits here.
_UNHEARD: Final = asyncio.Event()
# What no head may hold, but for the two that end its lines.
_CONTROLS: Final = bytes({*range(32), 127} - set(b"\t"))
# Shorter bodies are joined with their head.
_JOINED_BYTES: Final = 64 * 1024
# What is read of a body that nobody wants, to keep the connection.
MOST_SKIPPED_BYTES: Final = 1024 * 1024


class Connection(Protocol):
    """What a request asks of the connection that it came on."""

    server_state: Connections
    transport: asyncio.Transport
    flow: FlowControl
    logger: logging.Logger
    loop: asyncio.AbstractEventLoop
    # Of the body of the request that came last.
    body_bytes: int

    def body_is_asked_for(self) -> None: ...

    def on_response_complete(self) -> None: ...

    def end(self) -> None: ...


class Cycle(RequestResponseCycle):
    # What uvicorn's constructor, which is not called, sets for each request anew.
    message_event = _UNHEARD
    disconnected = response_started = response_complete = False
    more_body = True
    chunked_encoding: bool | None = None
    expected_content_length = 0
    # Why the rest of the body will not come.
    fault: ApiError | None = None
    # The head of an answer that waits for the first bytes of its body: of one of known length for
    # as long as it takes, of a stream to the end of the loop's turn.
    _head = b""
    # How many bytes of the body may wait to be read before the client has to, and whether who reads
    # it is told of each part.
    most_unread = HIGH_WATER_LIMIT
    collects = False
    # Of who waits in `receive`.
    waiter: "asyncio.Future[None] | None" = None
    _is_read = False
    _told_when_gone: Callable[[], None] | None = None
    unread_bytes = 0

    def __init__(
        self,
        connection: Connection,
        scope: Any,
        transport: Any,
        *,
        lives_on: bool,
        asks_first: bool,
    ) -> None:
        """`lives_on`: the connection outlives the answer, should the body be read. `asks_first`:
        the body comes once the client was told so.
        """
        self.connection = connection
        self.scope = scope
        self.transport = transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.on_response = connection.on_response_complete
        self.lives_on = lives_on
        self.keep_alive = lives_on and not asks_first
        self.waiting_for_100_continue = asks_first
        # Of the body, as they came: not in one array, which copies them twice.
        self.parts: list[bytes] = []

    def fail(self, fault: ApiError) -> None:
        """Whoever reads the body learns that it ends here, and why."""
        self.fault = fault
        self.wake()

    def wake(self) -> None:
        """Whoever waits in `receive` looks again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def watch(self, told_when_gone: Callable[[], None] | None) -> None:
        """Calls this once the client has gone before the end of its answer; None: calls nobody."""
        self._told_when_gone = told_when_gone
        if self.disconnected:
            self._tell()

    def has_gone(self) -> None:
        self.disconnected = True
        self.wake()
        self._tell()

    def _tell(self) -> None:
        told, self._told_when_gone = self._told_when_gone, None
        if told is not None:
            told()

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
            if self.lives_on and not self.connection.server_state.is_draining:
                self.keep_alive, self.transport = True, self.connection.transport
            self.connection.body_is_asked_for()
        if self.more_body or self._is_read or self.flow.read_paused:
            await self._news()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        if self.fault is not None:
            raise self.fault
        parts = self.parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self.unread_bytes = 0
        self._is_read = not self.more_body
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _news(self) -> None:
        """Waits for something of the body to give out: with `collect` for all of it, or for more
        than it may have; or for the end of the exchange."""
        if self.flow.read_paused and not self._is_over:
            self.flow.resume_reading()
            self.connection.body_is_asked_for()
        most_waiting = self.most_unread if self.collects else 0
        while not self._is_over:
            if self.unread_bytes > most_waiting or not (self.more_body or self._is_read):
                break
            self.waiter = self.connection.loop.create_future()
            await self.waiter

    @property
    def _is_over(self) -> bool:
        return self.disconnected or self.response_complete or self.fault is not None

    def collect(self, most_bytes: int) -> None:
        """From now on `receive` waits for the whole body, or for more than so much of it: a large
        one would else wake its reader, and stop its sender, for each part.
        """
        self.most_unread = max(most_bytes, HIGH_WATER_LIMIT)
        self.collects = True

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.response_complete:
            return
        if self.response_started:
            self._write(message.get("body", b""), more_body=message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))

    async def answer(self, status: int, headers: Any, body: bytes) -> None:
        """A whole answer, as two messages to `send`."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self._begin(status, headers)
            self._write(body, more_body=False)

    def _write(self, body: bytes, *, more_body: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.transport.write(self._head)
        elif self.chunked_encoding:
            end = b"" if more_body else b"0\r\n\r\n"
            block = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self.transport.write(b"%b%b%b" % (self._head, block, end))
        else:
            self._write_of_known_length(body, more_body=more_body)
        self._head = b""
        if not more_body:
            self.response_complete = True
            if self.waiter is not None:
                self.wake()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def write_part(self, block: bytes) -> Awaitable[None] | None:
        """As `send` with a block of a body that goes on, from where nobody can await: what this
        returns, if anything, is to be awaited before the next block.
        """
        if not self.chunked_encoding or self.flow.write_paused or self.disconnected or self._head:
            message = {"type": "http.response.body", "body": block, "more_body": True}
            return begun(self.send(message))
        self.transport.write(b"%x\r\n%b\r\n" % (len(block), block))
        return None

    def _begin(self, status: int, headers: Any) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        if self.connection.body_bytes >= LARGE_BYTES:
            large_bodies.note()
        if self.more_body and self.keep_alive and self._leaves_a_body():
            self.keep_alive, self.transport = False, cast("Any", Lingering(self.connection))
        of_all = self.connection.server_state.default_headers
        lines = [b"%b: %b\r\n" % header for header in (*of_all, *headers)]
        named = dict(headers)
        length = named.get(b"content-length")
        if length is not None and self.chunked_encoding is None:
            self.expected_content_length = int(length)
            self.chunked_encoding = False
        if b"connection" in named and b"close" in named[b"connection"].lower():
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        is_head = self.scope["method"] == "HEAD"
        if self.chunked_encoding is None and not is_head and status not in (204, 304):
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        fields = b"".join(lines)
        # Beside the two characters at the end of each line.
        if len(fields.translate(None, _CONTROLS)) != len(fields) - 2 * len(lines):
            raise RuntimeError("A header of the answer holds a line break or a control character.")
        self._head = b"%b%b\r\n" % (STATUS_LINE[status], fields)
        if self.chunked_encoding:
            self.connection.loop.call_soon(self._write_head)

    def _leaves_a_body(self) -> bool:
        """Whether more may come of the body than is read of one that nobody wants. A client that is
        not told that the connection ends with the answer sends its next request into the end."""
        announced = dict(self.scope["headers"]).get(b"content-length")
        come = self.connection.body_bytes
        return announced is None or int(announced) - come > MOST_SKIPPED_BYTES

    def _write_head(self) -> None:
        if self._head and not self.disconnected:
            self.transport.write(self._head)
        self._head = b""

    def _write_of_known_length(self, body: bytes, *, more_body: bool) -> None:
        left = self.expected_content_length - len(body)
        if left < 0 or (left and not more_body):
            raise RuntimeError("The answer's body has not the length that its head says.")
        self.expected_content_length = left
        if len(body) < _JOINED_BYTES:
            self.transport.write(self._head + body)
        else:
            self.transport.write(self._head)
            self.transport.write(body)
            if len(body) >= LARGE_BYTES:
                large_bodies.note()


class OldCycle(Cycle):
    """An answer in HTTP/1.0."""

    _until_close = False

    async def send(self, message: Any) -> None:
        if not self.response_started:
            if b"content-length" not in dict(message.get("headers", ())):
                # uvicorn takes the question of how the body ends for answered.
                self._until_close, self.chunked_encoding = True, False
        elif self._until_close and not self.response_complete:
            await self._send_as_it_is(message)
            return
        await super().send(message)

    async def _send_as_it_is(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self._head:
            self.transport.write(self._head)
            self._head = b""
        if self.scope["method"] != "HEAD":
            self.transport.write(message.get("body", b""))
        if not message.get("more_body", False):
            self.response_complete = True
            self.wake()
            self.transport.close()
            self.on_response()


class Lingering:
    """The transport of an answer that is the connection's last. Its `close` lets a client that is
    still sending read the answer: a socket that is closed with input unread resets the connection,
    and the answer may go with it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing

    def close(self) -> None:
        self._connection.end()
