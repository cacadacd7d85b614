"""`POST /v1/audio/speech`: a text read aloud, sent while it is being spoken."""

from functools import partial

from catalog import learnt
from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint
from openai_api.speech import request as speech_request
from openai_api.speech.live import LiveSpeech, unheard
from openai_api.speech.normalise import SoundBytes, SoundEvents, content_type
from openai_api.speech.parts import JOINABLE, character_limit, parts_of
from openai_api.speech.request import SpeechRequest
from openai_api.speech.translate import SpeechPlan, translate
from openai_api.use import token_estimate
from openai_api.wire.http_response import EventStreamResponse, StreamedResponse
from workers_ai.answer import Answer, ByteSource
from workers_ai.client import WorkersAIClient
from workers_ai.errors import BadInput

# Slower than anybody speaks, in any script.
MOST_MS_PER_CHARACTER = 500


def most(asked: SpeechRequest, plan: SpeechPlan, model: ModelRecord) -> Quantities:
    audio_ms = plan.characters * MOST_MS_PER_CHARACTER
    return Quantities(characters=plan.characters, audio_ms=audio_ms)


async def whole(
    exchange: Exchange, asked: SpeechRequest, plan: SpeechPlan, client: WorkersAIClient
) -> StreamedResponse:
    """The sound as bytes."""
    live = await _spoken(exchange, plan, client, SoundBytes())
    first = await live.begin()
    response = StreamedResponse(
        live.blocks(first),
        key_id=exchange.key.id,
        content_type=content_type(plan.response_format, first),
    )
    live.response = response
    return response


async def streamed(
    exchange: Exchange, asked: SpeechRequest, plan: SpeechPlan, client: WorkersAIClient
) -> EventStreamResponse:
    """The sound in events."""
    input_tokens = token_estimate.prompt_tokens(asked.model, plan.characters)
    live = await _spoken(exchange, plan, client, SoundEvents(input_tokens))
    response = EventStreamResponse(live.blocks(await live.begin()), key_id=exchange.key.id)
    live.response = response
    return response


async def _spoken(
    exchange: Exchange,
    plan: SpeechPlan,
    client: WorkersAIClient,
    writer: SoundBytes | SoundEvents,
) -> LiveSpeech:
    """Upstream's answer, as soon as it begins. A text that is too long for the model is spoken in
    parts, where their sound can be joined.
    """
    assert exchange.model is not None
    model = exchange.model.name
    speak = partial(_speak, exchange, plan, client)
    most = learnt.of(model).characters
    parts = [plan.text]
    if most is not None and plan.response_format in JOINABLE:
        parts = parts_of(plan.text, most)
    try:
        answer = await speak(parts[0])
    except BadInput as refusal:
        most = character_limit(refusal)
        if most is None or most >= len(parts[0]) or plan.response_format not in JOINABLE:
            raise
        exchange.attempts += refusal.attempts
        learnt.characters(model, most, refusal.message)
        parts = parts_of(plan.text, most)
        answer = await speak(parts[0])
    live = LiveSpeech(exchange, plan, parts, answer, writer, speak)
    exchange.used_so_far = live.used_so_far
    return live


async def _speak(
    exchange: Exchange, plan: SpeechPlan, client: WorkersAIClient, part: str
) -> Answer | ByteSource:
    assert exchange.model is not None
    if exchange.used_so_far is None:
        exchange.used_so_far = lambda: unheard(plan, len(part))
    body = plan.body(part)
    answer = await client.run_for_bytes(exchange.model.name, body, caller=exchange.caller)
    exchange.attempts += answer.attempts
    return answer


SPEECH: Endpoint[SpeechRequest, SpeechPlan] = Endpoint(
    name="speech",
    read=speech_request.read,
    plan=translate,
    most=most,
    whole=whole,
    streamed=streamed,
    prompt_param="input",
)


class SpeechView(EndpointView):
    endpoint = SPEECH
