"""uvicorn's protocol, with less in each connection: of thousands most wait, for a chunk or for the
next request.
"""

import asyncio
from collections import deque
from functools import cached_property
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from keys.addresses import plain


class LeanProtocol(HttpToolsProtocol):
    __slots__ = ("_scope",)

    def __init__(
        self, config: Config, server_state: Any, app_state: dict[str, Any], _loop: Any = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn would make its own line for each request, even when nobody takes it.
        self.access_log = False
        # Nearly always empty, and then a tenth of a deque.
        self.pipeline = cast("deque[Any]", [])

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = Flow(transport)
        if self.client is not None:
            self.client = (plain(self.client[0]), self.client[1])
        # What the scopes of all requests on this connection have.
        self._scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
        }


class Flow(FlowControl):
    """uvicorn's, whose signal is made once a client is slow: few are, and it takes 0.8 KiB."""

    read_paused = write_paused = False

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    @cached_property
    def _is_writable_event(self) -> asyncio.Event:  # type: ignore[override]
        event = asyncio.Event()
        if not self.write_paused:
            event.set()
        return event
