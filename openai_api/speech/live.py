"""Speech as it is sent, from upstream's first bytes to the committed row.

A failure before the first bytes is raised, and so becomes an ordinary error answer. After them
bytes can only break off, and events end with an error. The ticket is settled on every way out.
"""

import asyncio
from collections.abc import AsyncIterator

from catalog.pricing.costs import Quantities
from openai_api.errors import ApiError
from openai_api.exchange import Exchange
from openai_api.speech.normalise import (
    SIGNATURE_BYTES,
    SoundBytes,
    SoundEvents,
    SoundMeter,
    checked,
    sound_of,
)
from openai_api.speech.translate import SpeechPlan
from openai_api.use.recording import Metered
from openai_api.use.usage import Usage
from openai_api.wire.live import LiveAnswer
from workers_ai.answer import Answer, ByteSource

# The pace of a calm voice, for sound whose bytes do not tell its length.
USUAL_MS_PER_CHARACTER = 70


class LiveSpeech(LiveAnswer):
    """One speech while it is sent, from upstream's first bytes to the committed row."""

    def __init__(
        self,
        exchange: Exchange,
        plan: SpeechPlan,
        answer: Answer | ByteSource,
        writer: SoundBytes | SoundEvents,
    ) -> None:
        super().__init__(exchange)
        self._plan = plan
        self._answer = answer
        self._writer = writer
        self._meter = SoundMeter(plan.response_format)
        self._pieces = _pieces(answer)

    async def begin(self) -> bytes:
        """The first bytes, enough to tell what they are."""
        first = b""
        try:
            async for piece in self._pieces:
                first += piece
                if len(first) >= SIGNATURE_BYTES:
                    break
            self._exchange.first_byte()
            return checked(first)
        except BaseException:
            await self._close()
            raise

    async def blocks(self, first: bytes) -> AsyncIterator[bytes]:
        """The answer to its last byte, which is sent only when the row is committed."""
        try:
            self._meter.take(first)
            yield self._writer.piece(first)
            async for piece in self._pieces:
                self._meter.take(piece)
                yield self._writer.piece(piece)
            used = self._exchange.priced(metered(self._plan, self._answer, self._meter))
            await self._exchange.complete(used, finish_reason="")
            yield self._writer.last(used.usage)
        except (asyncio.CancelledError, GeneratorExit) as gone:
            yield await self.broken_off(gone)
        except Exception as error:
            yield await self.failed(error)
        finally:
            await self._close()

    def used_so_far(self) -> Metered:
        return metered(self._plan, self._answer, self._meter, partial=True)

    def failure(self, error: ApiError) -> bytes:
        return self._writer.failed(error)

    async def _close(self) -> None:
        if isinstance(self._answer, ByteSource):
            await self._answer.aclose()


async def _pieces(answer: Answer | ByteSource) -> AsyncIterator[bytes]:
    if isinstance(answer, Answer):
        yield sound_of(answer)
        return
    async for piece in answer:
        yield piece


def metered(
    plan: SpeechPlan,
    answer: Answer | ByteSource | None,
    meter: SoundMeter,
    *,
    partial: bool = False,
) -> Metered:
    """What the speech used: its text is charged whole, however much of the sound was heard, and so
    is the sound that upstream was asked for.
    """
    audio_ms, usual_ms = meter.ms, plan.characters * USUAL_MS_PER_CHARACTER
    if audio_ms is None or (partial and audio_ms < usual_ms):
        audio_ms = usual_ms
    neurons = answer.neurons if answer is not None else None
    source = "partial" if partial else "estimated" if neurons is None else "upstream"
    return Metered(
        Usage(neurons=neurons),
        source,
        Quantities(characters=plan.characters, audio_ms=audio_ms),
        cached_answer=answer is not None and answer.from_cache,
    )
