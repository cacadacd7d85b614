"""Answers of three kinds: a complete body, one sent block by block, a stream of events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from django.conf import settings
from django.http.response import HttpResponseBase

from keys.access.key_index import index
from openai_api.wire.keep_alive import KeepAlive
from openai_api.wire.sending import Send, WritePart, part_writer

_live: "set[StreamedResponse]" = set()


class WholeResponse(HttpResponseBase):
    """A complete body. Django's constructor is not called: it makes a cookie jar and checks every
    header for injected line breaks, which these headers cannot have.
    """

    def __init__(self, content: bytes, *, content_type: str = "application/json") -> None:
        self.content = content
        self.headers = {"Content-Type": content_type}  # type: ignore[assignment]


class BrokenOff(Exception):
    """A body cannot be completed, and its format has no way to say so; the failure is recorded
    already.
    """


class StreamedResponse(HttpResponseBase):
    """A body whose blocks are sent as soon as they are made."""

    streaming = True
    is_async = True

    def __init__(self, blocks: AsyncIterator[bytes], *, key_id: int, content_type: str) -> None:
        # As with WholeResponse.
        self.headers = {"Content-Type": content_type, "X-Accel-Buffering": "no"}  # type: ignore[assignment]
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
        try:
            await self._send(send)
        except BrokenOff:
            # The body lacks HTTP's end marker, so the server closes the connection and the client
            # notices.
            return
        finally:
            _live.discard(self)
            await self.blocks.aclose()  # type: ignore[attr-defined]

    async def _send(self, send: Send) -> None:
        async for block in self.blocks:
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def stop_for_key(self) -> None:
        """Cancels the task that sends the stream: its key is no longer valid."""
        if not self.key_stopped and self._task is not None:
            self.key_stopped = True
            self._task.cancel()

    def forgive_cancel(self) -> bool:
        """Whether `stop_for_key` alone cancelled the task; if so the cancellation is withdrawn."""
        task = self._task
        return self.key_stopped and task is not None and task.uncancel() == 0


class Maker(Protocol):
    """Who makes the blocks of a response."""

    response: StreamedResponse | None


class EventStreamResponse(StreamedResponse):
    """A `text/event-stream`, with a comment in each long silence."""

    def __init__(
        self, blocks: AsyncIterator[bytes], *, key_id: int, maker: Maker | None = None
    ) -> None:
        super().__init__(blocks, key_id=key_id, content_type="text/event-stream; charset=utf-8")
        self["Cache-Control"] = "no-cache"
        # Set before the last block, which then leaves with the end of the body.
        self.is_last = False
        self._maker = maker
        self._write_part: WritePart | None = None
        self._silence: KeepAlive | None = None

    async def _send(self, send: Send) -> None:
        self._write_part = part_writer(send)
        silence = self._silence = KeepAlive(send, settings.KEEPALIVE_INTERVAL)
        try:
            async for block in self.blocks:
                silence.broken()
                more_body = not self.is_last
                await send({"type": "http.response.body", "body": block, "more_body": more_body})
            if not self.is_last:
                silence.end()
                await send({"type": "http.response.body", "body": b""})
        finally:
            silence.end()
            self._write_part = None

    def become_part_of(self, other: StreamedResponse | None) -> None:
        """Its blocks are not sent by itself but among those of the other."""
        assert self._maker is not None
        self._maker.response = other

    def writing(self) -> tuple[WritePart, KeepAlive]:
        """What sends a block while the generator of `blocks` waits, and the silence that each block
        breaks. What a call returns, if anything, must be awaited before the next block: the client
        reads too slowly (back-pressure).
        """
        assert self._write_part is not None
        assert self._silence is not None
        return self._write_part, self._silence


def stop_streams_of_dead_keys() -> None:
    """Ends the streams whose key was revoked, expired or deleted since they began."""
    for stream in list(_live):
        if not index.is_live(stream.key_id):
            stream.stop_for_key()
