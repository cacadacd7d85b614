"""`POST /v1/completions`: a call for each choice, side by side, or one that is streamed."""

from dataclasses import replace
from functools import partial
from typing import Any

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.chat_completions import view as chat
from openai_api.chat_completions.normalise import ChatNormaliser, Delta, read_whole
from openai_api.chat_completions.translate import ChatPlan
from openai_api.completions.normalise import TextStream, choice_of, text_completion
from openai_api.completions.request import CompletionRequest, read
from openai_api.completions.translate import CompletionPlan, run_body, translate
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result, Stretch
from openai_api.runs import side_by_side
from openai_api.use import token_estimate
from openai_api.use.in_flight import InFlight
from openai_api.use.recording import Metered, together
from openai_api.wire import streaming
from openai_api.wire.http_response import EventStreamResponse
from workers_ai.answer import Answer, Begin, EventSource
from workers_ai.client import WorkersAIClient
from workers_ai.errors import UnusableAnswer, WorkersAIError


def plan(asked: CompletionRequest, model: ModelRecord) -> CompletionPlan:
    return translate(asked, model, default_max_tokens=chat.DEFAULT_MAX_TOKENS)


def most(asked: CompletionRequest, plan: CompletionPlan, model: ModelRecord) -> Quantities:
    limits = [call.usual_tokens for call in plan.calls]
    prompts = [
        token_estimate.prompt_tokens(model.name, call.prompt_characters) for call in plan.calls
    ]
    return Quantities(
        prompt_tokens=sum(prompts), completion_tokens=sum(limits), requests=len(plan.calls)
    )


def stretch(plan: CompletionPlan) -> Stretch[CompletionPlan] | None:
    """As for chats; all choices of all prompts get the same limit."""
    usual = min(call.usual_tokens for call in plan.calls)
    longest = min(call.limit for call in plan.calls)
    if longest <= usual:
        return None

    def limited(millionths: int) -> CompletionPlan:
        limit = usual + (longest - usual) * millionths // 1_000_000
        return replace(plan, calls=tuple(call.limited_to(limit) for call in plan.calls))

    return Stretch(usual, longest, limited)


async def ask(
    exchange: Exchange,
    asked: CompletionRequest,
    plan: CompletionPlan,
    call: ChatPlan,
    client: WorkersAIClient,
    *,
    begin: Begin | None = None,
) -> Answer | EventSource:
    """One call upstream. A run is never streamed, even where the client gets a stream."""
    assert exchange.model is not None
    if not plan.takes_messages:
        return await client.run(exchange.model.name, run_body(call), caller=exchange.caller)
    return await chat.ask(exchange, asked.chat, call, client, begin=begin)


async def whole(
    exchange: Exchange, asked: CompletionRequest, plan: CompletionPlan, client: WorkersAIClient
) -> Result:
    """Every choice, or none; an empty success is asked for once more."""
    done: list[Metered] = []
    waiting: dict[int, InFlight] = {}

    def used_so_far() -> Metered:
        return together([*done, *(each.metered() for each in waiting.values())], partial=True)

    exchange.used_so_far = used_so_far

    async def choose(number: int, call: ChatPlan) -> tuple[dict[str, Any], str]:
        waiting[number] = chat.in_flight(exchange, asked.chat, call)
        try:
            try:
                answer, normaliser, deltas = await _answered(exchange, asked, plan, call, client)
            except UnusableAnswer:
                answer, normaliser, deltas = await _answered(exchange, asked, plan, call, client)
        except WorkersAIError:
            del waiting[number]
            # With the calls beside it, which are given up now.
            exchange.spent = used_so_far()
            raise
        del waiting[number]
        done.append(chat.metered(exchange, call, normaliser, answer=answer))
        return choice_of(number, normaliser, deltas), normaliser.finish_reason

    answers = await side_by_side(
        (partial(choose, n, call) for n, call in enumerate(plan.calls)),
        to_their_end=exchange.others_stand_by,
    )
    used = exchange.priced(together(done))
    choices = [choice for choice, _ in answers]
    body = text_completion(choices, model=asked.model, usage=used.usage)
    return Result(body, used, finish_reason=answers[0][1])


async def _answered(
    exchange: Exchange,
    asked: CompletionRequest,
    plan: CompletionPlan,
    call: ChatPlan,
    client: WorkersAIClient,
) -> tuple[Answer, ChatNormaliser, list[Delta]]:
    """Upstream's answer, read; raises UnusableAnswer for an empty one."""
    answer = await ask(exchange, asked, plan, call, client)
    assert isinstance(answer, Answer)
    exchange.attempts += answer.attempts
    return answer, *read_whole(answer.content, call.expected)


async def streamed(
    exchange: Exchange, asked: CompletionRequest, plan: CompletionPlan, client: WorkersAIClient
) -> EventStreamResponse:
    """The one choice as `text_completion` events."""
    [call] = plan.calls
    counted = call.counted()
    return await streaming.stream(
        exchange,
        TextStream(call.expected, include_usage=asked.chat.include_usage),
        lambda begin: ask(exchange, asked, plan, call, client, begin=begin),
        lambda writer, partial, answer: chat.metered(
            exchange, counted, writer.normaliser, partial=partial, answer=answer
        ),
        unanswered=chat.in_flight(exchange, asked.chat, call).metered,
    )


COMPLETIONS: Endpoint[CompletionRequest, CompletionPlan] = Endpoint(
    name="completions",
    read=read,
    plan=plan,
    most=most,
    most_prompt_tokens=CompletionPlan.most_prompt_tokens,
    stretch=stretch,
    whole=whole,
    streamed=streamed,
    prompt_param="prompt",
)


class CompletionsView(EndpointView):
    endpoint = COMPLETIONS
