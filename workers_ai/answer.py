"""What comes back from Cloudflare: an answer read whole, or a stream of events or of bytes.

The first byte and each following read have a time limit. Raises
StreamCut when the connection breaks and TimedOut after too long a silence.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
import orjson

from workers_ai.caller import CallTrace
from workers_ai.envelope import opened
from workers_ai.errors import StreamCut, UnusableAnswer
from workers_ai.http.decoded import AnyResponse
from workers_ai.silence import Silence
from workers_ai.sse import Event, EventDecoder, EventTooLarge

# Events of one network read → None, or what has to be awaited before more are wanted.
TakeEvents = Callable[[list[Event]], Awaitable[None] | None]
# Awaits the first part of a stream that is worth something; raises where there is none.
Begin = Callable[[Any], Awaitable[None]]


# Never changed once made, but not frozen: that takes twice as long to make.
@dataclass(slots=True)
class Answer:
    """An answer read whole. `neurons` is what the `cf-ai-neurons` header says was billed."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    attempts: int

    @property
    def media_type(self) -> str:
        return media_type(self.headers)

    @property
    def neurons(self) -> Decimal | None:
        return neurons_billed(self.headers)

    @property
    def from_cache(self) -> bool:
        return is_cache_hit(self.headers)

    def json(self) -> Any:
        """The body as JSON, out of its envelope; raises UnusableAnswer, or Refused inside HTTP
        200.
        """
        try:
            body = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            raise UnusableAnswer(
                f"Workers AI answered with {self.media_type or 'something'} that is not JSON"
            ) from None
        return opened(body, status=self.status, upstream_id=self.headers.get("cf-ai-req-id", ""))


def media_type(headers: Mapping[str, str]) -> str:
    return str(headers.get("content-type", "")).partition(";")[0].strip().lower()


def is_cache_hit(headers: Mapping[str, str]) -> bool:
    """AI Gateway answered from its cache: the usage in the body was not billed again."""
    return str(headers.get("cf-aig-cache-status", "")).upper() == "HIT"


def neurons_billed(headers: Mapping[str, str]) -> Decimal | None:
    """The header `cf-ai-neurons`, which answers that were read whole carry."""
    told = headers.get("cf-ai-neurons")
    if told is None:
        return None
    try:
        neurons = Decimal(told)
    except InvalidOperation:
        return None
    return neurons if neurons.is_finite() and neurons >= 0 else None


class StreamedAnswer:
    """An answer that is read as it arrives; close when done.

    Iterating raises StreamCut when the connection breaks and TimedOut("idle") after too long a
    silence. A silence while the caller is not waiting for more (its own client reads slowly) does
    not count.
    """

    def __init__(self, response: AnyResponse, silence: Silence, *, attempts: int) -> None:
        self.headers = response.headers
        self.attempts = attempts
        # What is told when it ends, where calls are traced.
        self.trace: CallTrace | None = None
        self._response = response
        self._silence = silence
        self._closed = False
        silence.of_a_stream()

    @property
    def from_cache(self) -> bool:
        return is_cache_hit(self.headers)

    async def aclose(self, error: BaseException | None = None) -> None:
        """Ends the exchange with upstream at once; what was not read is lost. `error` is why."""
        if not self._closed:
            self._closed = True
            if self.trace is not None:
                self.trace.end(error)
            self._silence.close()
            self._response.close()

    async def _closed_by(self, error: BaseException) -> BaseException:
        """What to raise for it; a variable of whoever raises it would make a circle."""
        shown = _shown(error)
        await self.aclose(shown)
        return shown

    async def _read(self) -> bytes:
        """What came next; empty at the end."""
        chunk = await self._silence.wait_for(self._response.read())
        self._silence.broken()
        return chunk


class EventSource(StreamedAnswer):
    """Iterate for lists of events, one list a network read; or have them delivered."""

    def __init__(self, response: AnyResponse, silence: Silence, *, attempts: int) -> None:
        super().__init__(response, silence, attempts=attempts)
        self._decoder = EventDecoder()
        self._take: TakeEvents | None = None
        self._stopped = False
        self._ended = False

    @staticmethod
    def fits(headers: Mapping[str, str]) -> bool:
        return media_type(headers) == "text/event-stream"

    @property
    def is_over(self) -> bool:
        """Whether all of it has come and been given out."""
        return self._response.is_over and self._decoder.is_empty

    async def deliver(self, take: TakeEvents) -> None:
        """Calls `take` with the events of each network read as it arrives, to the end or
        until `stop`. No task is woken for it.
        """
        self._take = take
        try:
            while not (self._stopped or self._ended):
                waits_for = await self._silence.wait_for(self._response.deliver(self._arrived))
                if waits_for is None and not self._stopped:
                    self._ended = True
                    events = self._decoder.close()
                    waits_for = take(events) if events else None
                if waits_for is not None:
                    await waits_for
        except BaseException as error:
            raise await self._closed_by(error) from None
        finally:
            self._take = None

    def stop(self) -> None:
        """Ends `deliver`; what comes later can be iterated over."""
        self._stopped = True
        self._response.stop()

    def _arrived(self, chunk: bytes) -> Awaitable[None] | None:
        silence = self._silence
        if silence.has_begun:
            silence.since = silence.loop.time()  # as `broken` does, a call less for each chunk
        else:
            silence.broken()
        events = self._decoder.feed(chunk)
        if not events:
            return None
        assert self._take is not None
        return self._take(events)

    def __aiter__(self) -> "EventSource":
        return self

    async def __anext__(self) -> list[Event]:
        try:
            while not self._ended:
                chunk = await self._read()
                self._ended = not chunk
                events = self._decoder.feed(chunk) if chunk else self._decoder.close()
                if events:
                    return events
        except BaseException as error:
            raise await self._closed_by(error) from None
        await self.aclose()
        raise StopAsyncIteration


def _shown(error: BaseException) -> BaseException:
    """What a stream ends with when it cannot be read on."""
    if isinstance(error, EventTooLarge):
        return StreamCut(str(error))
    if isinstance(error, httpx.HTTPError):
        return StreamCut(f"Workers AI's answer broke off: {error}")
    return error


class ByteSource(StreamedAnswer):
    """Iterate for the bytes of each network read, such as sound while it is being made."""

    @property
    def media_type(self) -> str:
        return media_type(self.headers)

    @property
    def neurons(self) -> Decimal | None:
        return neurons_billed(self.headers)

    @staticmethod
    def fits(headers: Mapping[str, str]) -> bool:
        """Whether the body is no JSON, which is read whole, and no text, which is none at all."""
        return media_type(headers).startswith(("audio/", "application/octet-stream"))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._read():
                yield chunk
        except httpx.HTTPError as error:
            raise await self._closed_by(error) from None
        finally:
            await self.aclose()
