"""`POST /v1/chat/completions`: the folder's steps put together, whole and streamed."""

from operator import attrgetter
from typing import Final

from django.conf import settings

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.chat_completions import request as chat_request
from openai_api.chat_completions.answer import ChatStream, completion, dumps
from openai_api.chat_completions.attachments import read_of_chat
from openai_api.chat_completions.normalise import ChatNormaliser, Delta, read_whole
from openai_api.chat_completions.repair import Repairs
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.translate import ChatPlan, Counted, body_of, translate
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result, Stretch
from openai_api.use import token_estimate
from openai_api.use.in_flight import InFlight
from openai_api.use.recording import Metered, metered_tokens
from openai_api.wire import streaming
from openai_api.wire.body import chat_body
from openai_api.wire.http_response import EventStreamResponse
from openai_api.wire.left_in_body import put_back
from openai_api.wire.stream_writer import StreamWriter
from workers_ai.answer import Answer, Begin, EventSource
from workers_ai.client import WorkersAIClient
from workers_ai.errors import BadInput, UnusableAnswer, WorkersAIError

# Read once: asking the settings is a call.
DEFAULT_MAX_TOKENS: Final[int | None] = settings.DEFAULT_MAX_TOKENS


def plan(asked: ChatRequest, model: ModelRecord) -> ChatPlan:
    return translate(asked, model, default_max_tokens=DEFAULT_MAX_TOKENS)


def most(asked: ChatRequest, plan: ChatPlan, model: ModelRecord) -> Quantities:
    """The most that the answer can use: the whole prompt and every token of the limit."""
    choices = asked.settings.get("n") or 1
    return Quantities(
        prompt_tokens=token_estimate.prompt_tokens(model.name, plan.prompt_characters),
        completion_tokens=plan.usual_tokens * choices,
    )


def stretch(plan: ChatPlan) -> Stretch[ChatPlan] | None:
    """For a chat without a limit: how much longer than usual its answer can be."""
    usual, longest = plan.usual_tokens, plan.limit
    if longest <= usual:
        return None
    return Stretch(
        usual,
        longest,
        lambda millionths: plan.limited_to(usual + (longest - usual) * millionths // 1_000_000),
    )


async def ask(
    exchange: Exchange,
    asked: ChatRequest,
    plan_: ChatPlan,
    client: WorkersAIClient,
    *,
    begin: Begin | None = None,
) -> Answer | EventSource:
    """Upstream's answer, to the payload or to what became of it where that was refused. It is
    streamed where there is something to begin a stream."""
    assert exchange.model is not None
    affinity = exchange.affinity(plan_.conversation)
    repairs = Repairs(
        plan_.payload,
        asked,
        exchange.model,
        limit_may_shrink=plan_.limit_may_shrink,
    )
    while True:
        streamed = begin is not None and not repairs.unstreamed
        body = body_of(repairs.payload, stream=streamed)
        try:
            answer = await client.chat(
                put_back(body, plan_.left) if plan_.left else body,
                caller=exchange.caller,
                affinity=affinity,
                stream=streamed,
                begin=begin,
            )
        except BadInput as refusal:
            if not repairs.after(refusal):
                raise
            exchange.attempts += refusal.attempts
        else:
            repairs.helped()
            return answer


async def whole(
    exchange: Exchange, asked: ChatRequest, plan: ChatPlan, client: WorkersAIClient
) -> Result:
    """The answer as one `chat.completion`."""
    normaliser, deltas, used = await answered(exchange, asked, plan, client)
    body = completion(normaliser, deltas)
    body["usage"] = used.usage.as_openai()
    return Result(dumps(body), used, finish_reason=normaliser.finish_reason)


async def answered(
    exchange: Exchange, asked: ChatRequest, plan: ChatPlan, client: WorkersAIClient
) -> tuple[ChatNormaliser, list[Delta], Metered]:
    """A whole answer, read; an empty success is asked for once more."""
    exchange.used_so_far = in_flight(exchange, asked, plan).metered
    is_second = False
    while True:
        try:
            answer = await ask(exchange, asked, plan, client)
            exchange.attempts += answer.attempts
        except WorkersAIError as error:
            exchange.attempts += error.attempts
            if is_second or not isinstance(error, UnusableAnswer):
                raise
        else:
            assert isinstance(answer, Answer)
            try:
                normaliser, deltas = read_whole(answer.content, plan.expected)
            except UnusableAnswer:
                if is_second:
                    raise
            else:
                break
        is_second = True
    used = exchange.priced(metered(exchange, plan, normaliser, answer=answer))
    return normaliser, deltas, used


async def streamed(
    exchange: Exchange, asked: ChatRequest, plan: ChatPlan, client: WorkersAIClient
) -> EventStreamResponse:
    """The answer as `chat.completion.chunk` events."""
    writer = ChatStream(plan.expected, include_usage=asked.include_usage)
    return await stream_to(writer, exchange, asked, plan, client)


async def stream_to(
    writer: StreamWriter,
    exchange: Exchange,
    asked: ChatRequest,
    plan: ChatPlan,
    client: WorkersAIClient,
) -> EventStreamResponse:
    """The answer as the events of `writer`, an AnswerStream."""
    counted = plan.counted()
    return await streaming.stream(
        exchange,
        writer,
        lambda begin: ask(exchange, asked, plan, client, begin=begin),
        lambda writer, partial, answer: metered(
            exchange, counted, writer.normaliser, partial=partial, answer=answer
        ),
        unanswered=in_flight(exchange, asked, plan).metered,
    )


def in_flight(exchange: Exchange, asked: ChatRequest, plan: ChatPlan) -> InFlight:
    """The call from now on, as long as there is no answer."""
    assert exchange.model is not None
    choices = asked.settings.get("n") or 1
    return InFlight(
        exchange.model.name, plan.prompt_characters, plan.limit * choices, plan.picture_tokens
    )


def metered(
    exchange: Exchange,
    plan: ChatPlan | Counted,
    normaliser: ChatNormaliser,
    *,
    partial: bool = False,
    answer: Answer | EventSource | None = None,
) -> Metered:
    """What an answer used, as far as it came."""
    assert exchange.model is not None
    usage = normaliser.usage
    if usage.neurons is None and isinstance(answer, Answer):
        measured = answer.neurons
        if measured is not None:
            usage = usage.with_neurons(measured)
    return metered_tokens(
        exchange.model.name,
        usage,
        prompt_characters=plan.prompt_characters,
        completion_characters=normaliser.characters,
        thought_characters=normaliser.thought_characters,
        picture_tokens=0 if usage.prompt_tokens else plan.picture_tokens(),
        partial=partial,
        cached_answer=answer is not None and answer.from_cache,
    )


CHAT: Endpoint[ChatRequest, ChatPlan] = Endpoint(
    name="chat",
    body=chat_body,
    read=chat_request.read,
    ignored=attrgetter("ignored"),
    fetch=read_of_chat,
    plan=plan,
    most=most,
    most_prompt_tokens=ChatPlan.most_prompt_tokens,
    stretch=stretch,
    whole=whole,
    streamed=streamed,
)
