"""A client's connection: uvicorn's protocol, with a bound on all that a stranger can send and hold.

A head has a size, a number of headers and a time; a body has a time between its parts and a least
pace; requests that wait behind another one on their connection have a number. What goes beyond is
answered in its turn, in the words of the path that is asked for, and the connection ends. No timer
runs for any of it: each connection says until when it may go on as it is (`deadline`), and
`connections.py` looks at all of them now and then.

Offers to speak another protocol are not taken up, as HTTP allows: the request is read as if it had
none. Only who asks for a WebSocket is told so, by the application.
"""

import math
from time import monotonic
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config

from openai_api.errors import (
    ApiError,
    HeadTooLarge,
    NoRoom,
    RequestTimedOut,
    TooManyWaiting,
    UnreadableRequest,
    UrlTooLong,
)
from proxysite.freed_memory import LARGE_BYTES, large_bodies
from proxysite.http.bounds import (
    FREE_PARTS,
    LEAST_BODY_BYTES_PER_S,
    LEAST_PART_BYTES,
    LINGER_S,
    MOST_HEAD_BYTES,
    MOST_HEADERS,
    MOST_URL_BYTES,
    MOST_WAITING,
    PATIENCE_IN_GAPS,
)
from proxysite.http.connections import Connections
from proxysite.http.cycle import Cycle, Lingering, OldCycle
from proxysite.http.protocol import LeanProtocol
from proxysite.http.refusal import refusal
from proxysite.http.upgrade import asks_for_websocket, head_without_offer, unreadable


class _Unreadable(Exception):
    """Ends the parser's work on a request; `error` is its answer."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(str(error))
        self.error = error


class ClientConnection(LeanProtocol):
    """`deadline` is in the loop's seconds, infinite while nothing is expected of the client."""

    # Beside uvicorn's attributes: with more than thirty in it, the dictionary of each connection
    # would have keys of its own, 1 KiB of them.
    __slots__ = (
        *("_body_until", "_head_left", "_in_head", "_is_lingering", "_is_upgrade", "_parts"),
        *("_running", "_unused", "_wants_websocket", "active_at", "body_bytes", "bounds"),
        *("deadline", "is_ending"),
    )

    server_state: Connections
    cycle: Cycle

    def __init__(
        self, config: Config, server_state: Any, app_state: dict[str, Any], _loop: Any = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.bounds = self.server_state.bounds
        self.deadline = math.inf
        # When the client last did or was given something, exactly: many do between two looks.
        self.active_at = 0.0
        # What still comes is read and dropped.
        self.is_ending = False
        self._is_lingering = False
        self._running: Cycle | None = None
        self._in_head = False
        self._head_left = 0
        # Bytes since the last that were of use: a head's, or those between a body's parts.
        self._unused = 0
        self._body_until = 0.0
        self.body_bytes = self._parts = 0
        self._is_upgrade = self._wants_websocket = False

    # --- the transport's calls ----------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.active_at = monotonic()
        self.deadline = self.server_state.now + self.bounds.head_s
        if self.server_state.is_full:
            self.server_state.make_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.body_bytes >= LARGE_BYTES:
            large_bodies.note()
        self._running, running = None, self._running
        if running is not None and not running.response_complete:
            running.has_gone()
        super().connection_lost(exc)
        self.deadline = math.inf
        self.pipeline.clear()
        # The two refer to each other.
        self.cycle = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.is_ending:
            return
        self._unused += len(data)
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._read_without_upgrade(data, upgrade.args[0])
        except httptools.HttpParserError as error:
            self._cannot_read(error, data)
        else:
            if self._unused > MOST_HEAD_BYTES:
                self._stop_reading(HeadTooLarge(MOST_HEAD_BYTES, MOST_HEADERS))
            elif self._parts > FREE_PARTS + self.body_bytes // LEAST_PART_BYTES:
                self._stop_reading(UnreadableRequest("its body comes in too many tiny chunks"))

    # --- the parser's calls -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_ending or len(self.pipeline) == MOST_WAITING:
            raise _Unreadable(TooManyWaiting(MOST_WAITING))
        self._begin_request()
        self._in_head = True
        self._head_left = MOST_HEAD_BYTES
        self.deadline = self.server_state.now + self.bounds.head_s

    def _begin_request(self) -> None:
        """As uvicorn does; what the scopes of a connection have in common is made once."""
        self.url = b""
        self.expect_100_continue = False
        headers = self.headers = []
        self.scope = {**self._scope, "headers": headers}  # type: ignore[typeddict-item]

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MOST_URL_BYTES:
            raise _Unreadable(UrlTooLong(MOST_URL_BYTES))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_left -= len(name) + len(value) + 4
        if self._head_left < 0:
            raise _Unreadable(HeadTooLarge(MOST_HEAD_BYTES, MOST_HEADERS))
        if not self._in_head:
            return  # behind a body: no proxy in front has looked at it
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if len(self.headers) > MOST_HEADERS:
            raise _Unreadable(HeadTooLarge(MOST_HEAD_BYTES, MOST_HEADERS))
        parser = self.parser
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise _Unreadable(UnreadableRequest("CONNECT is for proxies, which this is not"))
            self._is_upgrade = True
            return
        self._unused = 0
        scope = self.scope
        scope["method"] = parser.get_method().decode("ascii")
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        if "%" in path:
            path = unquote(path)
        scope["path"] = self.root_path + path
        scope["raw_path"] = self.root_path.encode() + url.path
        scope["query_string"] = url.query or b""
        version = parser.get_http_version()
        if version != "1.1":
            scope["http_version"] = version
        if self._wants_websocket and scope["method"] == "GET":
            scope["extensions"] = {"gateway.websocket": {}}
        self._in_head = False
        self.body_bytes = self._parts = 0
        now, self.active_at = self.server_state.now, monotonic()
        self.deadline = now + self.bounds.body_s
        self._body_until = now + self.bounds.body_s * PATIENCE_IN_GAPS
        keep_alive = version == "1.1" and parser.should_keep_alive()
        state = self.server_state
        if len(state.connections) + len(state.tasks) > state.room and not self._has_room():
            self._take(refusal(NoRoom()), keep_alive=keep_alive)
        else:
            self._take(self.app, keep_alive=keep_alive)

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        self._parts += 1
        self.body_bytes += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return  # little enough to keep the connection, or the answer would have ended it
        cycle.parts.append(body)
        cycle.unread_bytes += len(body)
        if cycle.unread_bytes > cycle.most_unread:
            self.flow.pause_reading()
            cycle.wake()
        elif cycle.waiter is not None and not cycle.collects:
            cycle.wake()
        self._body_until += len(body) / LEAST_BODY_BYTES_PER_S
        now, self.active_at = self.server_state.now, monotonic()
        gap_until = now + self.bounds.body_s
        self.deadline = gap_until if gap_until < self._body_until else self._body_until

    def on_message_complete(self) -> None:
        if self._is_upgrade:
            return
        self._unused = 0
        cycle = self.cycle
        cycle.more_body = False
        if cycle.response_complete:
            self._await_request()
            return
        self.deadline = math.inf
        if cycle.waiter is not None:
            cycle.wake()

    # --- a request and its answer -------------------------------------------------------------

    def _take(self, app: Any, *, keep_alive: bool) -> None:
        """A request is there: it is served now, or after those before it."""
        state = self.server_state
        if state.forwarded is not None:
            state.forwarded.apply(self.scope)  # type: ignore[arg-type]
        keep_alive = keep_alive and not state.is_draining
        if keep_alive and state.to_send_away:
            state.to_send_away -= 1
            keep_alive = False
        is_old = self.scope["http_version"] != "1.1"
        asks_first = self.expect_100_continue and not is_old
        transport: Any = self.transport if keep_alive and not asks_first else Lingering(self)
        before = self.cycle
        cycle = self.cycle = (OldCycle if is_old else Cycle)(
            self, self.scope, transport, lives_on=keep_alive, asks_first=asks_first
        )
        if before is None or before.response_complete:
            self._running = cycle
            self._start_asgi_task(cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.insert(0, (cycle, app))

    def _has_room(self) -> bool:
        """Whether the request may be served although files are short. What is only looked at needs
        none; what goes to Cloudflare needs one more.
        """
        if self.scope["method"] != "POST":
            return True
        self.server_state.make_room(self)
        return not self.server_state.is_full

    def body_is_asked_for(self) -> None:
        """The time for the body's next part begins now: it was not the client that kept it back."""
        self.deadline = self.server_state.now + self.bounds.body_s

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._running = cast("Cycle", cycle)
            self._start_asgi_task(cycle, app)
        elif not self.is_ending:
            self._await_request()

    def _await_request(self) -> None:
        """Nothing is in hand but, it may be, the rest of a body that nobody wants."""
        now, self.active_at = self.server_state.now, monotonic()
        if self.cycle.more_body and not self._in_head:
            self.deadline = now + LINGER_S
        else:
            self.deadline = now + (self.bounds.head_s if self._in_head else self.bounds.idle_s)

    # --- ends ---------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether no request of this client is being served."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing goes on before the client sends something."""
        cycle = self.cycle
        return self.is_idle or (
            cycle is self._running
            and cycle.more_body
            and not self.flow.read_paused
            and not cycle.waiting_for_100_continue
        )

    @property
    def is_answering(self) -> bool:
        running = self._running
        return running is not None and running.response_started and not running.response_complete

    def overdue(self) -> None:
        """The deadline has passed."""
        cycle = self.cycle
        if self.is_ending or (self.is_idle and not self._in_head):
            self.deadline = math.inf
            self.transport.close()
        elif self._in_head and self.is_idle:
            self._refuse(RequestTimedOut("head"))
        elif not cycle.more_body:
            self.deadline = math.inf
        elif self.flow.read_paused or cycle.waiting_for_100_continue or cycle is not self._running:
            self.deadline = self.server_state.now + self.bounds.body_s
        else:
            self._stop_reading(RequestTimedOut("body"))

    def end(self) -> None:
        """Closes; where the client still sends, once it has had the time to read the answer."""
        self.pipeline.clear()
        if self._is_lingering or self.transport.is_closing():
            return
        if not self.is_ending and not self.cycle.more_body:
            self.transport.close()
            return
        self.is_ending = self._is_lingering = True
        self.deadline = self.server_state.now + LINGER_S
        self.flow.resume_reading()
        self.transport.write_eof()

    def _cannot_read(self, failure: httptools.HttpParserError, data: bytes) -> None:
        if self.is_ending:
            return
        cause = failure.__context__
        if isinstance(cause, _Unreadable):
            self._stop_reading(cause.error)
        elif cause is not None:
            self._stop_reading(UnreadableRequest("its URL cannot be read"))
        else:
            self._stop_reading(unreadable(data, str(failure)))

    def _stop_reading(self, error: ApiError) -> None:
        """What comes cannot be taken: the request that it belongs to gets `error`."""
        cycle = self.cycle
        if self._in_head or cycle is None or not cycle.more_body:
            self._refuse(error)
        elif cycle.response_complete:
            self.end()
        else:
            self.is_ending, self.deadline = True, math.inf
            cycle.keep_alive, cycle.transport = False, cast("Any", Lingering(self))
            cycle.fail(error)

    def _refuse(self, error: ApiError) -> None:
        """Answers a request whose head is not there, or will not be looked at."""
        if not self._in_head:
            self._begin_request()
        scope = self.scope
        path = self.url.partition(b"?")[0].decode("latin-1")
        scope["method"] = self.parser.get_method().decode("ascii") if path else "GET"
        scope["path"], scope["raw_path"], scope["query_string"] = unquote(path), b"", b""
        self.is_ending, self.deadline, self._in_head = True, math.inf, False
        self._take(refusal(error), keep_alive=False)

    # --- offers of another protocol -----------------------------------------------------------

    def _read_without_upgrade(self, data: bytes, offset: int) -> None:
        """Reads the head that the parser has stopped at once more, without the offer, and then what
        follows it in `data`, which may hold further ones."""
        while True:
            self._is_upgrade = False
            self._wants_websocket = asks_for_websocket(self.headers)
            method, version = self.parser.get_method(), self.parser.get_http_version()
            # The one that stopped takes the connection for another protocol's, or for ended.
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head_without_offer(method, self.url, version, self.headers))
            self._wants_websocket = False
            data = data[offset:]
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                offset = upgrade.args[0]
