"""Speech as it is sent, from upstream's first bytes to the committed row.

A failure before the first bytes is raised, and so becomes an ordinary error answer. After them
bytes can only break off, and events end with an error. The ticket is settled on every way out.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal

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
from openai_api.speech.parts import LONGEST_HEAD, first_of_several, without_head
from openai_api.speech.translate import SpeechPlan
from openai_api.use.recording import Metered
from openai_api.use.usage import Usage
from openai_api.wire.live import LiveAnswer
from workers_ai.answer import Answer, ByteSource

# The pace of a calm voice, for sound whose bytes do not tell its length.
USUAL_MS_PER_CHARACTER = 70


class LiveSpeech(LiveAnswer):
    """One speech while it is sent, from upstream's first bytes to the committed row.

    `answer` speaks the first of the `parts`; `speak` asks for the others, each when the one before
    it was sent.
    """

    def __init__(
        self,
        exchange: Exchange,
        plan: SpeechPlan,
        parts: list[str],
        answer: Answer | ByteSource,
        writer: SoundBytes | SoundEvents,
        speak: Callable[[str], Awaitable[Answer | ByteSource]],
    ) -> None:
        super().__init__(exchange)
        self._plan = plan
        self._parts = parts
        self._answers = [answer]
        self._writer = writer
        self._speak = speak
        self._meter = SoundMeter(plan.response_format)
        self._pieces = _pieces(answer)

    async def begin(self) -> bytes:
        """The first bytes, enough to tell what they are."""
        try:
            several = len(self._parts) > 1
            first = await _head(self._pieces, LONGEST_HEAD if several else SIGNATURE_BYTES)
            checked(first)
            self._exchange.first_byte()
            return first_of_several(first) if several else first
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
            for part in self._parts[1:]:
                async for piece in self._following(part):
                    self._meter.take(piece)
                    yield self._writer.piece(piece)
            used = self._exchange.priced(self._metered())
            await self._exchange.complete(used, finish_reason="")
            yield self._writer.last(used.usage)
        except (asyncio.CancelledError, GeneratorExit) as gone:
            if self.is_left(gone):
                raise
            yield await self.key_stopped()
        except Exception as error:
            yield await self.failed(error)
        finally:
            await self._close()

    async def _following(self, part: str) -> AsyncIterator[bytes]:
        """The sound of a later part, without its head."""
        await self._close()
        answer = await self._speak(part)
        self._answers.append(answer)
        pieces = _pieces(answer)
        head = without_head(checked(await _head(pieces, LONGEST_HEAD)))
        if head:
            yield head
        async for piece in pieces:
            yield piece

    def used_so_far(self) -> Metered:
        return self._metered(partial=True)

    def _metered(self, *, partial: bool = False) -> Metered:
        spoken = sum(len(part) for part in self._parts[: len(self._answers)])
        return metered(spoken, self._answers, self._meter, partial=partial)

    def failure(self, error: ApiError) -> bytes:
        return self._writer.failed(error)

    async def _close(self) -> None:
        answer = self._answers[-1]
        if isinstance(answer, ByteSource):
            await answer.aclose()


async def _head(pieces: AsyncIterator[bytes], least: int) -> bytes:
    """The first bytes, enough to tell what they are."""
    first = b""
    async for piece in pieces:
        first += piece
        if len(first) >= least:
            break
    return first


async def _pieces(answer: Answer | ByteSource) -> AsyncIterator[bytes]:
    if isinstance(answer, Answer):
        yield sound_of(answer)
        return
    async for piece in answer:
        yield piece


def unheard(plan: SpeechPlan, characters: int) -> Metered:
    """What so many characters use before their sound begins."""
    return metered(characters, [], SoundMeter(plan.response_format), partial=True)


def metered(
    characters: int,
    answers: Sequence[Answer | ByteSource],
    meter: SoundMeter,
    *,
    partial: bool = False,
) -> Metered:
    """What the speech used: its text is charged whole, however much of the sound was heard, and so
    is the sound that upstream was asked for.
    """
    audio_ms, usual_ms = meter.ms, characters * USUAL_MS_PER_CHARACTER
    if audio_ms is None or (partial and audio_ms < usual_ms):
        audio_ms = usual_ms
    measured = [answer.neurons for answer in answers if answer.neurons is not None]
    known = answers and len(measured) == len(answers)
    neurons = sum(measured, Decimal(0)) if known else None
    source = "partial" if partial else "estimated" if neurons is None else "upstream"
    return Metered(
        Usage(neurons=neurons),
        source,
        Quantities(characters=characters, audio_ms=audio_ms),
        cached_answer=bool(answers) and all(answer.from_cache for answer in answers),
    )
