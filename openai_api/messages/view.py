"""`POST /v1/messages` and its `count_tokens`: the folder's steps around those of chat."""

from dataclasses import replace
from typing import Any

import orjson
from django.http.response import HttpResponseBase

from catalog.snapshot import ModelRecord
from keys.access.key_index import KeyRecord
from openai_api import pipeline
from openai_api.base import EndpointView, GatewayView
from openai_api.chat_completions import retold
from openai_api.chat_completions import view as chat
from openai_api.chat_completions.answer import dumps
from openai_api.chat_completions.length import characters_of
from openai_api.chat_completions.retold import Retold
from openai_api.chat_completions.translate import ChatPlan
from openai_api.exchange import Exchange
from openai_api.messages import request as messages_request
from openai_api.messages.events import MessageStream
from openai_api.messages.normalise import message
from openai_api.messages.request import MessagesRequest
from openai_api.messages.translate import limit_within, translate
from openai_api.pipeline import Endpoint, Result
from openai_api.use.token_estimate import prompt_tokens
from openai_api.wire.http_response import EventStreamResponse, WholeResponse
from workers_ai.client import WorkersAIClient

Asked = Retold[MessagesRequest]


def read(body: dict[str, Any]) -> Asked:
    itself = messages_request.read(body)
    return Retold(itself, *translate(itself))


def read_prompt(body: dict[str, Any]) -> Asked:
    itself = messages_request.read_prompt(body)
    return Retold(itself, *translate(itself))


def plan(asked: Asked, model: ModelRecord) -> ChatPlan:
    length = characters_of(asked.chat.messages, asked.chat.tools)
    asked.chat.max_tokens = limit_within(model, asked.itself.max_tokens, length)
    return retold.plan(asked, model)


async def whole(
    exchange: Exchange, asked: Asked, plan: ChatPlan, client: WorkersAIClient
) -> Result:
    """The answer as one `message`."""
    machine, deltas, used = await chat.answered(exchange, asked.chat, plan, client)
    body = message(asked.itself, machine, deltas, used.usage)
    return Result(dumps(body), used, finish_reason=machine.finish_reason)


async def streamed(
    exchange: Exchange, asked: Asked, plan: ChatPlan, client: WorkersAIClient
) -> EventStreamResponse:
    """The answer as events."""
    assert exchange.model is not None
    writer = MessageStream(
        plan.expected,
        asked.itself,
        estimate=prompt_tokens(exchange.model.name, plan.prompt_characters),
        request_id=exchange.request.request_id,
    )
    return await chat.stream_to(writer, exchange, asked.chat, plan, client)


MESSAGES: Endpoint[Asked, ChatPlan] = Endpoint(
    name="messages",
    read=read,
    prepare=retold.prepare,
    plan=plan,
    most=retold.most,
    most_prompt_tokens=ChatPlan.most_prompt_tokens,
    whole=whole,
    streamed=streamed,
)
PROMPT_ONLY = replace(MESSAGES, read=read_prompt)


class MessagesView(EndpointView):
    endpoint = MESSAGES

    async def post(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        response = await super().post(request, key)
        response["request-id"] = request.request_id
        return response


class CountTokensView(GatewayView):
    """An estimate, as the tokenizers of the models are not at hand."""

    async def post(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        tokens = await pipeline.prompt_tokens(PROMPT_ONLY, request, key)
        response = WholeResponse(orjson.dumps({"input_tokens": tokens}))
        response["request-id"] = request.request_id
        return response
