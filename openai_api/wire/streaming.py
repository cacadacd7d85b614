"""Streams out: blocks of events to the client, comments in silence, and an end that is recorded.

`stream` calls upstream and waits for its first event, so that a failure before it is an ordinary
error answer. `LiveStream` then gives upstream's events to an endpoint's writer and its chunks to
the client; the ledger row is committed before the last of them leaves, whatever happens to client,
upstream or task. `EventStreamResponse` delivers, as `StreamedResponse` does for other bodies.
"""

import asyncio
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    MutableMapping,
)
from typing import Any, Protocol

from django.conf import settings
from django.http.response import HttpResponseBase

from keys.access.key_index import index
from openai_api.errors import ApiError, KeyStoppedError, report
from openai_api.exchange import Exchange
from openai_api.use.recording import Metered
from openai_api.use.usage import Usage
from openai_api.wire.capture import KeptStream
from openai_api.wire.sending import begun
from workers_ai.answer import Answer, EventSource
from workers_ai.errors import UnusableAnswer, WorkersAIError
from workers_ai.sse import Event

logger = logging.getLogger(__name__)

# After upstream's end it may still send usage before it closes; it does not get long.
LATE_USAGE_S = 2.0


class StreamWriter(Protocol):
    """An endpoint's normaliser and its form of events. Pure: bytes come out, nothing is sent."""

    @property
    def answered(self) -> bool:
        """Whether upstream has begun an answer."""

    @property
    def done(self) -> bool:
        """Whether upstream has said that this was all."""

    @property
    def finish_reason(self) -> str:
        """How the answer ended, after `end`."""

    def events(self, events: Collection[Event]) -> bytes:
        """What the events of one network read become."""

    def whole(self, content: bytes) -> bytes:
        """What an answer that came as JSON becomes."""

    def end(self) -> bytes:
        """What closes the answer; raises where it is not complete."""

    def last(self, usage: Usage) -> bytes:
        """The very last bytes, after the row is committed."""

    def failed(self, error: ApiError) -> bytes:
        """The event that ends a stream that failed."""

    def anew(self) -> "StreamWriter":
        """An unused writer, for a second try."""


Ask = Callable[[bool], Awaitable[Answer | EventSource]]
# Writer, whether the answer is partial, upstream's answer → what was used.
Meter = Callable[[Any, bool, Answer | EventSource | None], Metered]

Send = Callable[[MutableMapping[str, Any]], Coroutine[Any, Any, None]]

PING = b": ping\n\n"

_live: "set[StreamedResponse]" = set()


class BrokenOff(Exception):
    """A body cannot be completed and has no form in which to say so; what happened is recorded."""


class StreamedResponse(HttpResponseBase):
    """A body whose blocks are sent as they are made."""

    streaming = True
    is_async = True

    def __init__(self, blocks: AsyncIterator[bytes], *, key_id: int, content_type: str) -> None:
        super().__init__(content_type=content_type)
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
        try:
            await self._send(send)
        except BrokenOff:
            # Without HTTP's own ending the server cuts the connection, and so the client learns it.
            return
        finally:
            _live.discard(self)
            await self.blocks.aclose()  # type: ignore[attr-defined]

    async def _send(self, send: Send) -> None:
        async for block in self.blocks:
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def stop_for_key(self) -> None:
        """The key is no longer in force: the generator learns it by being cancelled."""
        if not self.key_stopped and self._task is not None:
            self.key_stopped = True
            self._task.cancel()

    def forgive_cancel(self) -> bool:
        """Whether a cancel came from `stop_for_key` alone, and then takes it back."""
        task = self._task
        return self.key_stopped and task is not None and task.uncancel() == 0


class EventStreamResponse(StreamedResponse):
    """A `text/event-stream`, with a comment in each long silence."""

    def __init__(self, blocks: AsyncIterator[bytes], *, key_id: int) -> None:
        super().__init__(blocks, key_id=key_id, content_type="text/event-stream; charset=utf-8")
        self["Cache-Control"] = "no-cache"
        self._asgi_send: Send | None = None
        self._silence: _KeepAlive | None = None

    async def _send(self, send: Send) -> None:
        self._asgi_send = send
        silence = self._silence = _KeepAlive(send, settings.KEEPALIVE_INTERVAL)
        try:
            async for block in self.blocks:
                silence.broken()
                await send({"type": "http.response.body", "body": block, "more_body": True})
            silence.end()
            await send({"type": "http.response.body", "body": b""})
        finally:
            silence.end()

    def push(self, block: bytes) -> Awaitable[None] | None:
        """Sends a block while the generator of `blocks` waits; it then awaits what this returns,
        if anything, before the next one.
        """
        assert self._asgi_send is not None
        assert self._silence is not None
        self._silence.broken()
        message = {"type": "http.response.body", "body": block, "more_body": True}
        return begun(self._asgi_send(message))


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


async def stream(
    exchange: Exchange, writer: StreamWriter, ask: Ask, meter: Meter
) -> EventStreamResponse:
    """The answer as a stream that begins with upstream's first event.

    `ask` calls upstream, streamed or not. A failure before the first event is raised. When upstream
    says nothing for as long as the keep-alive interval the stream begins with comments instead, or
    proxies would cut the connection.
    """
    if exchange.ticket.capture is not None:
        writer = KeptStream(writer, exchange.ticket.capture)
    live = LiveStream(exchange, writer, ask, meter)
    exchange.used_so_far = live.used_so_far
    opening = asyncio.ensure_future(live.open())
    try:
        opened, _ = await asyncio.wait({opening}, timeout=settings.KEEPALIVE_INTERVAL)
        first = opening.result() if opened else None
    except BaseException:
        opening.cancel()
        raise
    response = EventStreamResponse(live.blocks(first, opening), key_id=exchange.key.id)
    live.response = response
    return response


class LiveStream:
    """One stream in flight, from upstream's first event to the committed row."""

    def __init__(self, exchange: Exchange, writer: StreamWriter, ask: Ask, meter: Meter) -> None:
        self.response: EventStreamResponse | None = None
        self._exchange = exchange
        self._writer = writer
        self._ask = ask
        self._meter = meter
        self._answer: Answer | EventSource | None = None
        self._events: EventSource | None = None

    async def open(self) -> bytes:
        """Calls upstream and waits for its first event; the chunks of that.

        An answer that holds nothing is asked for once more, without streaming.
        """
        try:
            return await self._open(stream=True)
        except UnusableAnswer:
            await self._close()
            self._writer = self._writer.anew()
        return await self._open(stream=False)

    async def _open(self, *, stream: bool) -> bytes:
        try:
            answer = await self._ask(stream)
        except WorkersAIError as error:
            self._exchange.attempts += error.attempts
            raise
        self._answer = answer
        self._exchange.attempts += answer.attempts
        if isinstance(answer, Answer):
            block = self._writer.whole(answer.content)
            self._exchange.first_byte()
            return block
        self._events = answer
        try:
            async for events in answer:
                block = self._writer.events(events)
                if block:
                    self._exchange.first_byte()
                    return block
            if not self._writer.answered:
                self._writer.end()  # raises what an empty stream is
        except BaseException:
            await self._close()
            raise
        return b""

    async def blocks(
        self, first: bytes | None, opening: "asyncio.Future[bytes]"
    ) -> AsyncIterator[bytes]:
        """Chunks to the last. Settles the ticket on every way out."""
        try:
            if first is None:
                yield PING
                first = await opening
            if first:
                yield first
            if self._events is not None and not self._writer.done:
                await self._events.deliver(self._pass_on)
            await self._late_usage()
            tail = self._writer.end()
            metered = self._meter(self._writer, False, self._answer)
            await self._exchange.complete(metered, finish_reason=self._writer.finish_reason)
            yield tail + self._writer.last(metered.usage)
        except (asyncio.CancelledError, GeneratorExit) as gone:
            opening.cancel()
            if isinstance(gone, GeneratorExit) or not self._stopped_for_key():
                self._exchange.abandoned()
                raise
            yield await self._failed(KeyStoppedError("The API key is no longer in force."))
        except Exception as error:
            yield await self._failed(error)
        finally:
            await self._close()

    def _pass_on(self, events: list[Event]) -> Awaitable[None] | None:
        """Chunks of one network read, sent before this returns unless the client is slow."""
        assert self.response is not None
        assert self._events is not None
        block = self._writer.events(events)
        if self._writer.done:
            self._events.stop()
        return self.response.push(block) if block else None

    async def _late_usage(self) -> None:
        """Reads on to the end of a stream that said that it was done: usage may follow."""
        if self._events is None or not self._writer.done:
            return
        try:
            async with asyncio.timeout(LATE_USAGE_S):
                async for events in self._events:
                    self._writer.events(events)
        except TimeoutError:
            return

    def _stopped_for_key(self) -> bool:
        return self.response is not None and self.response.forgive_cancel()

    async def _failed(self, error: Exception) -> bytes:
        report(error, request_id=self._exchange.request.request_id)
        shown = await self._exchange.failed(error, self.used_so_far(), status=200)
        return self._writer.failed(shown)

    def used_so_far(self) -> Metered:
        return self._meter(self._writer, True, self._answer)

    async def _close(self) -> None:
        if isinstance(self._answer, EventSource):
            await self._answer.aclose()
