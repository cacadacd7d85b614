"""One request and its answer, as uvicorn serves them, and what is different here.

What is missing of a body can fail: then `receive` raises why. A client that asked to be told first
(`Expect: 100-continue`) and was not may send no body at all, so its connection ends with the
answer. HTTP/1.0 knows no chunks: there a body of unknown length ends with the connection.
"""

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from openai_api.errors import ApiError
from proxysite.http.connections import Connections


class Connection(Protocol):
    """What a request asks of the connection that it came on."""

    server_state: Connections
    transport: asyncio.Transport

    def body_is_asked_for(self) -> None: ...

    def end(self) -> None: ...


class Cycle(RequestResponseCycle):
    # Set by the connection, beside what uvicorn's constructor takes.
    connection: Connection
    # Whether the connection outlives the answer, should the body be read.
    lives_on = False
    # Why the rest of the body will not come.
    fault: ApiError | None = None

    def fail(self, fault: ApiError) -> None:
        """Whoever reads the body learns that it ends here, and why."""
        self.fault = fault
        self.message_event.set()

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
            if self.lives_on and not self.connection.server_state.is_draining:
                self.keep_alive, self.transport = True, self.connection.transport
            self.connection.body_is_asked_for()
        if not self.disconnected and not self.response_complete and self.fault is None:
            if self.flow.read_paused:
                self.flow.resume_reading()
                self.connection.body_is_asked_for()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        if self.fault is not None:
            raise self.fault
        message = {"type": "http.request", "body": bytes(self.body), "more_body": self.more_body}
        self.body = bytearray()
        return message


class OldCycle(Cycle):
    """An answer in HTTP/1.0."""

    _until_close = False

    async def send(self, message: Any) -> None:
        if not self.response_started:
            names = {name.lower() for name, _ in message.get("headers", ())}
            if b"content-length" not in names:
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
        if self.scope["method"] != "HEAD":
            self.transport.write(message.get("body", b""))
        if not message.get("more_body", False):
            self.response_complete = True
            self.message_event.set()
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
