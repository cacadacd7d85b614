"""One HTTP/1.1 connection to Cloudflare.

httptools takes HTTP apart, as it does in the server in front, and is stricter about it than most
clients; what it lets pass and we do not stands in `_refused`. Nothing here grows with what upstream
sends: a body goes on as it comes, and everything else of an answer has a bound.

Failures are httpx's: RemoteProtocolError before the head of an answer, ReadError after it.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, Literal, Protocol

import httptools
import httpx

from workers_ai.http.response import Response

# Status line and headers of an answer, with those of the answers below 200 before it; afterwards
# what may come between two pieces of its body, such as trailers. A read more may be looked at.
MOST_HEAD_BYTES: Final = 64 * 1024
MOST_HEADERS: Final = 256


# The body of a request, whole or in pieces.
Content = bytes | tuple[bytes | memoryview, ...]


# HEAD is not among them: the parser cannot be told that its answers have no body.
Method = Literal[b"GET", b"POST"]


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """As they are sent. None may hold a line break."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class Owner(Protocol):
    """Who keeps a connection between two requests."""

    def is_free(self, connection: "Connection") -> None:
        """It has brought its answer and can take the next request."""

    def is_lost(self, connection: "Connection") -> None:
        """It is closed."""


class Connection(asyncio.Protocol):
    """Sends one request at a time; goes back to its owner when the answer is in."""

    __slots__ = (
        *("_can_stay", "_headers", "_is_complete", "_is_paused", "_owner", "_parser", "_parts"),
        *("_refused", "_repeated_headers", "_response", "_transport", "_without_body", "caller"),
        *("loop", "on_body"),
    )

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # For whom it is in use, as its owner has it.
        self.caller: str | None = None
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._is_paused = False
        # What the parser found in the read that it is at.
        self._parts: list[bytes] = []
        self._headers: dict[str, str] = {}
        self._repeated_headers = 0
        self._is_complete = False
        self._can_stay = False
        self._refused = ""
        # Bytes of this answer since there was a piece of a body.
        self._without_body = 0
        # The parser calls it for each piece of a body, a chunk of a stream; so nothing is between.
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)
        # What other clients take as well, and what no two of them could read in different ways.
        self._parser.set_dangerous_leniencies(
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    @property
    def is_usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(
        self, method: Method, target: bytes, headers: bytes, content: Content | None
    ) -> Response:
        """Sends a request; `headers` are all but the length of the content."""
        assert self._transport is not None
        assert self._response is None
        response = self._response = Response(self)
        self._is_complete = False
        self._without_body = 0
        if content is None:
            self._transport.write(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, headers))
            return response
        pieces = content if isinstance(content, tuple) else (content,)
        named = (method, target, headers, sum(map(len, pieces)))
        head = b"%b %b HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n" % named
        self._transport.writelines((head, *pieces))
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
            failure = self._refused or f"this is no HTTP: {error}"
        parts = self._parts
        if parts:
            arrived = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            self._without_body = 0
            response.arrived(arrived)
        else:
            self._without_body += len(data)
            if self._without_body > MOST_HEAD_BYTES and not failure:
                failure = f"more than {MOST_HEAD_BYTES} bytes of headers"
        if self._is_complete:
            self._finish(response, can_stay=self._can_stay and not failure)
        elif failure:
            self._fail(response, failure)

    def eof_received(self) -> None:
        """Upstream sends no more. Whatever it would still take of the request is of no use."""
        response = self._response
        if response is not None:
            self._ended_by_peer(response, "Workers AI closed the connection")
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        response = self._response
        if response is not None and error is None:
            self._ended_by_peer(response, "the connection was closed")
        elif response is not None:
            self._fail(response, f"the connection broke: {error}")
        self._owner.is_lost(self)
        # The two refer to each other, and would stay until the garbage collector runs.
        del self._parser

    # --- httptools' ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_complete:
            self._refuse("bytes behind the end of the answer that was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.lower().decode("latin-1"), value.decode("latin-1")
        headers = self._headers
        if key not in headers:
            headers[key] = text
            return
        headers[key] = f"{headers[key]}, {text}"
        self._repeated_headers += 1
        if self._repeated_headers > MOST_HEADERS:
            self._refuse(f"more than {MOST_HEADERS} headers")

    def on_headers_complete(self) -> None:
        headers, self._headers = self._headers, {}
        self._repeated_headers = 0
        if len(headers) > MOST_HEADERS:
            self._refuse(f"more than {MOST_HEADERS} headers")
        status = self._parser.get_status_code()
        if status < 100:
            self._refuse(f"a status of {status}")
        # Chunked is all that a client must know and that anybody sends.
        coding = headers.get("transfer-encoding")
        if coding is not None and coding.strip().lower() != "chunked":
            self._refuse("a transfer-encoding other than chunked")
        # Those below 200 announce another one.
        if status >= 200 and self._response is not None:
            self._response.began(status, headers)

    def on_message_complete(self) -> None:
        response = self._response
        if response is not None and response.status:
            # What is there now are trailers, of which nothing here has a use.
            self._headers.clear()
            self._is_complete = True
            # Not one that says both how long it is and that it comes in chunks. Chunks count then
            # (RFC 9112 section 6.3), but whoever is between here and there may have counted bytes:
            # what comes next may be anybody's.
            headers = response.headers
            self._can_stay = self._parser.should_keep_alive() and not (
                "transfer-encoding" in headers and "content-length" in headers
            )

    def _refuse(self, why: str) -> None:
        """Ends the parser's work, from within one of its calls."""
        self._refused = why
        raise ValueError(why)

    # ------------------------------------------------------------------------------------------

    def _finish(self, response: Response, *, can_stay: bool) -> None:
        self._response = None
        response.ended()
        transport = self._transport
        if transport is None:
            return
        if self._is_paused:
            self.resume()
        # An answer to a request that is not sent to its end: what is left of it must not follow.
        if can_stay and not transport.get_write_buffer_size():
            self._owner.is_free(self)
        else:
            transport.abort()

    def _ended_by_peer(self, response: Response, why: str) -> None:
        if _ends_with_connection(response):
            self._response = None
            response.ended()
        else:
            self._fail(response, why)

    def _fail(self, response: Response, why: str) -> None:
        self._response = None
        failure = httpx.ReadError if response.status else httpx.RemoteProtocolError
        response.failed(partial(failure, why))
        self.abort()


def _ends_with_connection(response: Response) -> bool:
    """An answer that says neither how long it is nor that it comes in chunks."""
    headers = response.headers
    return (
        response.status > 0
        and "content-length" not in headers
        and "transfer-encoding" not in headers
    )
