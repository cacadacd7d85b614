"""A request for `/v1`: Django's, whose body is read late and whose client may disconnect.

The view reads the body once the key is known, so that nobody without a key can make the gateway
hold megabytes, and never beyond the limit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from io import BytesIO
from typing import Any, Protocol

from django.core.handlers.asgi import ASGIRequest
from django.http import QueryDict
from django.utils.functional import cached_property

from openai_api.errors import BodyTooLarge, ClientGone
from openai_api.wire.decoding import codings, decoded
from proxysite.request_id import request_id_for

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class OnLoop(Protocol):
    loop: asyncio.AbstractEventLoop


class Server(Protocol):
    """What our own server can do beside ASGI (`proxysite/http/cycle.py`)."""

    @property
    def connection(self) -> OnLoop: ...

    def collect(self, most_bytes: int) -> None: ...

    def watch(self, told_when_gone: Callable[[], None] | None) -> None: ...

    async def answer(
        self, status: int, headers: Collection[tuple[bytes, bytes]], body: bytes
    ) -> None: ...


class ApiRequest(ASGIRequest):
    """Adds `request_id`, `client_ip`, `started` (monotonic seconds), `raw_headers` (names in lower
    case), `response_headers` for the answer, `read_body` and `watch_client`.

    Django's constructor is not called: it decodes every header into META, which nothing here needs.
    Where META is read all the same, it is made then.
    """

    # Set by the handler where requests are traced: the Trace of `exchange.py`, which cannot be
    # imported here, as it needs Django's models, and workers import this before they are read.
    trace: Any = None
    # Set once the key is known.
    key_id: int | None = None
    client_gone = False
    # Django's.
    resolver_match = None
    _post_parse_error = _read_started = False

    def __init__(self, scope: dict[str, Any], receive: Receive, path: str) -> None:
        self.scope = scope
        self.method = scope["method"]
        self.path = self.path_info = scope["path"]
        self.raw_headers = _by_name(scope["headers"])
        self.request_id = request_id_for(self.raw_headers.get(b"x-request-id"))
        self.response_headers: list[tuple[bytes, bytes]] = [
            (b"x-request-id", self.request_id.encode())
        ]
        self.api_path = path
        self.started = time.monotonic()
        self.client_ip: str = scope["client"][0] if scope.get("client") else ""
        self._receive = receive
        server = getattr(receive, "__self__", None)
        # Under another server nobody is told when a client goes.
        self.server: Server | None = server if hasattr(server, "watch") else None

    @cached_property
    def META(self) -> dict[str, Any]:  # type: ignore[override]
        return ASGIRequest(self.scope, BytesIO()).META

    @cached_property
    def GET(self) -> QueryDict:  # type: ignore[override]
        return QueryDict(self.scope.get("query_string", b""))

    async def read_body(self, limit_bytes: int) -> bytes:
        """The whole body, decoded where it came compressed. Raises BodyTooLarge before all of it is
        read or decoded, ClientGone when the client disconnects, and what `decoding.py` does.
        """
        encoding = self.raw_headers.get(b"content-encoding")
        applied = codings(encoding) if encoding is not None else ()
        try:
            announced = int(self.raw_headers.get(b"content-length", b"0"))
        except ValueError:
            announced = 0
        if announced > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        if self.server is not None:
            self.server.collect(limit_bytes)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.client_gone = True
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit_bytes:
                raise BodyTooLarge(limit_bytes)
            parts.append(part)
            if not message.get("more_body", False):
                break
        # Not kept: it would stay in memory until the answer is in.
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return await decoded(body, applied, limit_bytes) if applied else body

    def watch_client(self) -> None:
        """From now on a disconnect of the client cancels the task that serves it."""
        # Which loop runs is not asked where it is known: that is a system call until Python 3.12.
        loop = self.server.connection.loop if self.server is not None else None
        serving = asyncio.current_task(loop)
        assert serving is not None

        def gone() -> None:
            self.client_gone = True
            serving.cancel()

        if self.server is not None:
            self.server.watch(gone)

    def stop_watching(self) -> None:
        if self.server is not None:
            self.server.watch(None)


def _by_name(headers: Collection[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Joins repeated headers, as HTTP says, in time linear in their number."""
    by_name = dict(headers)
    if len(by_name) < len(headers):
        values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            values.setdefault(name, []).append(value)
        by_name = {name: b",".join(sent) for name, sent in values.items()}
    return by_name
