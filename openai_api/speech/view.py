"""`POST /v1/audio/speech`: a text read aloud, sent while it is being spoken."""

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint
from openai_api.speech import request as speech_request
from openai_api.speech.live import LiveSpeech, metered
from openai_api.speech.normalise import SoundBytes, SoundEvents, SoundMeter, content_type
from openai_api.speech.request import SpeechRequest
from openai_api.speech.translate import SpeechPlan, translate
from openai_api.use import token_estimate
from openai_api.wire.http_response import EventStreamResponse, StreamedResponse
from workers_ai.client import WorkersAIClient

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
    """Upstream's answer, as soon as it begins."""
    assert exchange.model is not None
    exchange.used_so_far = lambda: metered(
        plan, None, SoundMeter(plan.response_format), partial=True
    )
    answer = await client.run_for_bytes(exchange.model.name, plan.body, caller=exchange.caller)
    exchange.attempts += answer.attempts
    live = LiveSpeech(exchange, plan, answer, writer)
    exchange.used_so_far = live.used_so_far
    return live


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
