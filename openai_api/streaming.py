"""Streams out: blocks of events to the client, keep-alive comments in silence, and an end that is
recorded.

`EventStreamResponse` delivers; `live_blocks` is the one generator behind it: upstream's events in,
strict chunks out, the ledger row committed before `[DONE]` leaves, whatever happens to client,
upstream or task.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from django.conf import settings
from django.http.response import HttpResponseBase

from keys.key_index import index
from openai_api.errors import ApiError

logger = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PING = b": ping\n\n"

_live: "set[EventStreamResponse]" = set()


class EventStreamResponse(HttpResponseBase):
    """A `text/event-stream` whose blocks are sent as they are made."""

    streaming = True
    is_async = True

    def __init__(self, blocks: AsyncIterator[bytes], *, key_id: int) -> None:
        super().__init__(content_type="text/event-stream; charset=utf-8")
        self["Cache-Control"] = "no-cache"
        self["X-Accel-Buffering"] = "no"
        self.blocks = blocks
        self.key_id = key_id
        self.key_stopped = False
        self._task: asyncio.Task[Any] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.blocks

    async def send_blocks(self, send: Send) -> None:
        """Sends the body to its end. The generator is closed on every way out."""
        self._task = asyncio.current_task()
        _live.add(self)
        silence = _KeepAlive(send, settings.KEEPALIVE_INTERVAL)
        try:
            async for block in self.blocks:
                silence.broken()
                await send({"type": "http.response.body", "body": block, "more_body": True})
            silence.end()
            await send({"type": "http.response.body", "body": b""})
        finally:
            silence.end()
            _live.discard(self)
            await self.blocks.aclose()  # type: ignore[attr-defined]

    def stop_for_key(self) -> None:
        """The key is no longer in force: the generator learns it by being cancelled."""
        if not self.key_stopped and self._task is not None:
            self.key_stopped = True
            self._task.cancel()

    def forgive_cancel(self) -> bool:
        """Whether a cancel came from `stop_for_key` alone, and then takes it back."""
        task = self._task
        return self.key_stopped and task is not None and task.uncancel() == 0


def stop_streams_of_dead_keys() -> None:
    """Ends the streams whose key was revoked, expired or deleted since they began."""
    for stream in list(_live):
        if not index.is_live(stream.key_id):
            stream.stop_for_key()


class _KeepAlive:
    """Sends a comment after each `interval_s` of silence. One timer a stream, nothing a chunk."""

    def __init__(self, send: Send, interval_s: float) -> None:
        self._send = send
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._pinging: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(interval_s, self._look)

    def broken(self) -> None:
        self._last = self._loop.time()

    def _look(self) -> None:
        silent_s = self._loop.time() - self._last
        if silent_s < self._interval_s - 0.001:
            self._timer = self._loop.call_later(self._interval_s - silent_s, self._look)
            return
        if self._pinging is None or self._pinging.done():
            self._pinging = self._loop.create_task(self._ping())
        self._last = self._loop.time()
        self._timer = self._loop.call_later(self._interval_s, self._look)

    async def _ping(self) -> None:
        try:
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
        except (OSError, RuntimeError):
            logger.debug("a keep-alive comment found no reader")

    def end(self) -> None:
        self._timer.cancel()
        if self._pinging is not None:
            self._pinging.cancel()


def error_event(error: ApiError) -> bytes:
    """The event that ends a stream that failed; no `[DONE]` follows it."""
    return b"data: " + orjson.dumps({"error": error.as_dict()}) + b"\n\n"
