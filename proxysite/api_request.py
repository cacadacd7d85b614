"""A request for `/v1`: Django's, whose body is read late and whose sender may go away.

The body is read by the view once the key is known, so that nobody without a key makes the gateway
hold megabytes, and never past the limit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest

from openai_api.errors import BodyTooLarge, ClientGone
from proxysite.request_id import request_id_for

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ApiRequest(ASGIRequest):
    """Adds `request_id`, `client_ip`, `started` (monotonic seconds), `read_body` and the watch."""

    def __init__(self, scope: dict[str, Any], receive: Receive, path: str) -> None:
        super().__init__(scope, BytesIO())
        self.raw_headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = request_id_for(self.raw_headers.get(b"x-request-id"))
        self.api_path = path
        self.started = time.monotonic()
        self.client_ip: str = scope["client"][0] if scope.get("client") else ""
        self.client_gone = False
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None

    async def read_body(self, limit_bytes: int) -> bytes:
        """The whole body. Raises BodyTooLarge before it is read whole, ClientGone when it breaks
        off.
        """
        try:
            announced = int(self.raw_headers.get(b"content-length", b"0"))
        except ValueError:
            announced = 0
        if announced > limit_bytes:
            raise BodyTooLarge(limit_bytes)
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
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._stream = BytesIO(body)
        return body

    def watch_client(self) -> None:
        """From now on the client's going away cancels the task that serves it."""
        serving = asyncio.current_task()
        assert serving is not None

        async def until_gone() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self.client_gone = True
            serving.cancel()

        self._watch = asyncio.create_task(until_gone())

    def stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
