"""Streams: upstream's events in the client's form, and an end that is recorded.

`stream` calls upstream and waits for its first event, so that a failure before it is an ordinary
error answer. `LiveStream` then passes upstream's events to an endpoint's writer and its chunks to
the client; the ledger row is committed before the last of them is sent, whatever happens to client,
upstream or task. `http_response.py` sends, with comments while there is nothing to send.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from django.conf import settings

from openai_api.errors import ApiError
from openai_api.exchange import Exchange
from openai_api.use.recording import Metered
from openai_api.wire.capture import KeptStream
from openai_api.wire.http_response import EventStreamResponse
from openai_api.wire.keep_alive import PING
from openai_api.wire.live import LiveAnswer
from openai_api.wire.stream_writer import StreamWriter
from workers_ai.answer import Answer, Begin, EventSource
from workers_ai.errors import StreamCut, UnusableAnswer, WorkersAIError
from workers_ai.sse import Event

# After saying that it is done upstream may still send usage before it closes; it gets this long.
LATE_USAGE_S = 2.0


# What begins a stream, None for an answer that is to come whole → upstream's answer.
Ask = Callable[[Begin | None], Awaitable[Answer | EventSource]]
# Writer, whether the answer is partial, upstream's answer → what was used.
Meter = Callable[[Any, bool, Answer | EventSource | None], Metered]


async def stream(
    exchange: Exchange,
    writer: StreamWriter,
    ask: Ask,
    meter: Meter,
    *,
    unanswered: Callable[[], Metered] | None = None,
) -> EventStreamResponse:
    """The answer as a stream that begins with upstream's first event.

    `ask` calls upstream, streamed or not. A failure before the first event is the call's: it is
    made again where that may help, and raised where it does not. When upstream sends nothing for as
    long as the keep-alive interval, the stream begins with comments instead, or proxies would close
    the connection.

    `unanswered` says what was used by a call that is given up before upstream answers, where that
    is more than `meter` says of no answer.
    """
    if exchange.ticket.capture is not None:
        writer = KeptStream(writer, exchange.ticket.capture)
    live = LiveStream(exchange, writer, ask, meter, unanswered)
    exchange.used_so_far = live.used_when_left
    opening = asyncio.get_running_loop().create_task(live.open())
    try:
        first = None
        if await _is_done_within(opening, settings.KEEPALIVE_INTERVAL):
            first = opening.result()
    except BaseException:
        opening.cancel()
        raise
    response = EventStreamResponse(live.blocks(first, opening), key_id=exchange.key.id, maker=live)
    live.response = response
    return response


async def _is_done_within(opening: "asyncio.Future[bytes]", limit_s: float) -> bool:
    """As `asyncio.wait`, at a fifth of its calls."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    opening.add_done_callback(wake)
    timer = loop.call_later(limit_s, wake)
    try:
        await waiter
    finally:
        timer.cancel()
        opening.remove_done_callback(wake)
    return opening.done()


async def _not_again(begin: Begin | None) -> Answer | EventSource:
    raise AssertionError("a stream that has begun is not asked for again")


class LiveStream(LiveAnswer):
    """One stream while it is sent, from upstream's first event to the committed row."""

    def __init__(
        self,
        exchange: Exchange,
        writer: StreamWriter,
        ask: Ask,
        meter: Meter,
        unanswered: Callable[[], Metered] | None,
    ) -> None:
        super().__init__(exchange)
        self._unanswered = unanswered
        self._writer = writer
        self._ask = ask
        self._meter = meter
        self._answer: Answer | EventSource | None = None
        self._events: EventSource | None = None
        self._first = b""

    async def open(self) -> bytes:
        """Calls upstream and waits for its first event; returns the chunks of that.

        An empty answer is asked for once more, without streaming.
        """
        try:
            return await self._open(self._begin)
        except UnusableAnswer:
            await self._close()
            self._writer = self._writer.anew()
        return await self._open(None)

    async def _open(self, begin: Begin | None) -> bytes:
        try:
            answer = await self._ask(begin)
        except WorkersAIError as error:
            self._exchange.attempts += error.attempts
            raise
        self._exchange.attempts += answer.attempts
        if isinstance(answer, Answer):
            self._answer = answer
            self._first = self._writer.whole(answer.content)
            self._exchange.first_byte()
        return self._first

    async def _begin(self, answer: EventSource) -> None:
        """Waits for the first chunks of upstream's stream, which the client must not have had when
        the call is made again."""
        self._answer = self._events = answer
        try:
            async for events in answer:
                self._first = self._writer.events(events)
                if self._first:
                    self._exchange.first_byte()
                    return
            if not self._writer.answered:
                self._writer.end()  # raises the error for an empty stream
        except WorkersAIError as error:
            await answer.aclose(error)
            self._answer = self._events = None
            self._writer = self._writer.anew()
            raise
        except BaseException:
            await answer.aclose()
            raise

    async def blocks(
        self, first: bytes | None, opening: "asyncio.Future[bytes] | None"
    ) -> AsyncIterator[bytes]:
        """All chunks. Settles the ticket on every way out."""
        try:
            if first is None:
                yield PING
                assert opening is not None
                try:
                    first = await opening
                except WorkersAIError as error:
                    async with aclosing(self._of_another_model(error)) as blocks:
                        async for block in blocks:
                            yield block
                    return
            opening = None  # a task, which need not be kept for as long as the answer takes
            self._forget_request()
            if first:
                yield first
            if self._events is not None and not self._writer.done:
                await self._rest(self._events)
            await self._late_usage()
            tail = self._writer.end()
            metered = self._exchange.priced(self._meter(self._writer, False, self._answer))
            await self._exchange.complete(metered, finish_reason=self._writer.finish_reason)
            yield self._last(tail + self._writer.last(metered.usage))
        except (asyncio.CancelledError, GeneratorExit) as gone:
            if opening is not None:
                opening.cancel()
            if self.is_left(gone):
                raise
            yield self._last(await self.key_stopped())
        except Exception as error:
            yield self._last(await self.failed(error))
        finally:
            await self._close()
            # The two refer to each other, and would stay until the garbage collector runs.
            self.response = None

    def _last(self, block: bytes) -> bytes:
        assert isinstance(self.response, EventStreamResponse)
        self.response.is_last = True
        return block

    async def _of_another_model(self, error: WorkersAIError) -> AsyncGenerator[bytes, None]:
        """The stream of the model that answers instead, which records itself. Raises the failure
        where there is none."""
        if self._exchange.standbys is None:
            raise error
        response = await self._exchange.standbys.stream_after(error)
        assert isinstance(response, EventStreamResponse)
        self._forget_request()
        response.become_part_of(self.response)
        async with aclosing(response.blocks) as blocks:  # type: ignore[type-var]
            async for block in blocks:
                yield block

    def _forget_request(self) -> None:
        """Nobody is asked again: what the client sent, megabytes perhaps, is not kept for as long
        as the answer takes."""
        self._ask = _not_again
        self._unanswered = self._exchange.standbys = None

    async def _rest(self, events: EventSource) -> None:
        """Passes on what follows. A connection that breaks after the answer's end took nothing
        from it but usage."""
        assert isinstance(self.response, EventStreamResponse)
        writer = self._writer
        write, silence = self.response.writing()
        now = silence.loop.time

        def pass_on(new: list[Event]) -> Awaitable[None] | None:
            """Chunks of one network read, sent before this returns unless the client is slow."""
            block = writer.events(new)
            if writer.done:
                events.stop()
            if not block:
                return None
            silence.last = now()
            return write(block)

        try:
            await events.deliver(pass_on)
        except StreamCut:
            if not (writer.finished or writer.done):
                raise

    async def _late_usage(self) -> None:
        """Reads on to the end of a stream that said that it is done: usage may follow, unless that
        end came with it."""
        if self._events is None or not self._writer.done or self._events.is_over:
            return
        try:
            async with asyncio.timeout(LATE_USAGE_S):
                async for events in self._events:
                    self._writer.events(events)
        except (TimeoutError, StreamCut):
            return

    def used_so_far(self) -> Metered:
        return self._meter(self._writer, True, self._answer)

    def used_when_left(self) -> Metered:
        if self._answer is None and self._unanswered is not None:
            return self._unanswered()
        return self.used_so_far()

    def failure(self, error: ApiError) -> bytes:
        return self._writer.failed(error)

    async def _close(self) -> None:
        if isinstance(self._answer, EventSource):
            await self._answer.aclose()
