"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: the steps of both put together."""

import asyncio
from dataclasses import replace
from functools import partial

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.errors import BadRequest
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result
from openai_api.transcriptions import request as transcription_request
from openai_api.transcriptions.normalise import CONTENT_TYPES, TranscriptStream, body
from openai_api.transcriptions.request import TranscriptionRequest, recording_form
from openai_api.transcriptions.transcript import Transcript, transcript_of
from openai_api.transcriptions.translate import TranscriptionPlan, body_of, translate
from openai_api.use.recording import Metered
from openai_api.use.usage import Usage
from openai_api.wire import streaming
from openai_api.wire.http_response import EventStreamResponse
from workers_ai import audio_file
from workers_ai.answer import Answer, EventSource
from workers_ai.client import WorkersAIClient
from workers_ai.errors import BadInput

# For recordings that do not tell their length: a speech codec's usual rate, and its lowest.
USUAL_BYTES_PER_SECOND = 16_000
LEAST_BYTES_PER_SECOND = 1_000
# Larger recordings are encoded in a thread, so as not to block the event loop.
ENCODED_ON_THE_LOOP_BYTES = 1024 * 1024


def most(asked: TranscriptionRequest, plan: TranscriptionPlan, model: ModelRecord) -> Quantities:
    seconds = _recorded_s(asked.recording.data, LEAST_BYTES_PER_SECOND)
    return Quantities(audio_ms=round(seconds * 1000))


def _recorded_s(data: bytes, bytes_per_second: int) -> float:
    """The length of a recording by its header, or else at this rate. The sender wrote the header,
    so its bytes have a say as well."""
    told_s = audio_file.seconds(data) or len(data) / bytes_per_second
    return max(told_s, audio_file.least_seconds(data))


async def whole(
    exchange: Exchange,
    asked: TranscriptionRequest,
    plan: TranscriptionPlan,
    client: WorkersAIClient,
) -> Result:
    """The transcript in the format asked for."""
    exchange.used_so_far = lambda: metered(asked, None, None, partial=True)
    answer = await _heard(exchange, asked, plan, client)
    exchange.attempts += answer.attempts
    heard = transcript_of(answer.content)
    used = exchange.priced(metered(asked, heard, answer))
    seconds = used.quantities.audio_ms / 1000
    return Result(
        body(heard, asked, task=plan.task, duration_s=seconds, usage=used.usage),
        used,
        content_type=CONTENT_TYPES[asked.response_format],
    )


async def streamed(
    exchange: Exchange,
    asked: TranscriptionRequest,
    plan: TranscriptionPlan,
    client: WorkersAIClient,
) -> EventStreamResponse:
    """The transcript in events."""
    return await streaming.stream(
        exchange,
        TranscriptStream(),
        lambda begin: _heard(exchange, asked, plan, client),
        lambda writer, partial, answer: metered(asked, writer.heard, answer, partial=partial),
    )


async def _heard(
    exchange: Exchange,
    asked: TranscriptionRequest,
    plan: TranscriptionPlan,
    client: WorkersAIClient,
) -> Answer:
    """Upstream's answer. A refusal without a meaning of its own concerns the recording, since all
    else was checked before.
    """
    assert exchange.model is not None
    data = asked.recording.data
    if plan.as_json and len(data) > ENCODED_ON_THE_LOOP_BYTES:
        payload = await asyncio.to_thread(body_of, plan, data)
    else:
        payload = body_of(plan, data)
    try:
        return await client.run(
            exchange.model.name,
            payload,
            caller=exchange.caller,
            content_type=plan.content_type,
            params=plan.params,
        )
    except BadInput as error:
        if type(error) is not BadInput:
            raise
        exchange.attempts += error.attempts
        raise BadRequest(
            f"Workers AI refused the recording: {error.message}",
            param="file",
            code="invalid_request",
        ) from error


def metered(
    asked: TranscriptionRequest,
    heard: Transcript | None,
    answer: Answer | EventSource | None,
    *,
    partial: bool = False,
) -> Metered:
    """Usage by the length that upstream tells, or else the length of the file."""
    seconds = heard_s = (heard.duration_s if heard is not None else None) or 0.0
    if heard is None or not heard.tells_duration:
        # Words end before a recording does, or are in none of it.
        seconds = max(heard_s, _recorded_s(asked.recording.data, USUAL_BYTES_PER_SECOND))
    source = "partial" if partial else "estimated" if seconds > heard_s else "upstream"
    return Metered(
        Usage(neurons=answer.neurons if isinstance(answer, Answer) else None),
        source,
        Quantities(audio_ms=round(seconds * 1000)),
        cached_answer=answer is not None and answer.from_cache,
    )


TRANSCRIPTIONS: Endpoint[TranscriptionRequest, TranscriptionPlan] = Endpoint(
    name="transcriptions",
    body=recording_form,
    read=transcription_request.read,
    plan=partial(translate, task="transcribe"),
    most=most,
    whole=whole,
    streamed=streamed,
    prompt_param="file",
)
TRANSLATIONS = replace(
    TRANSCRIPTIONS, name="translations", plan=partial(translate, task="translate")
)


class TranscriptionsView(EndpointView):
    endpoint = TRANSCRIPTIONS


class TranslationsView(EndpointView):
    endpoint = TRANSLATIONS
