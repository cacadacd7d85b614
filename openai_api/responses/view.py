"""`POST /v1/responses` and its `input_tokens`: requests run as chats, whole and streamed."""

from dataclasses import replace
from typing import Any

import orjson
from django.http.response import HttpResponseBase

from catalog.snapshot import ModelRecord
from keys.access.key_record import KeyRecord
from openai_api import pipeline
from openai_api.base import EndpointView, GatewayView
from openai_api.chat_completions import other_dialects
from openai_api.chat_completions.other_dialects import AsChat
from openai_api.chat_completions.translate import ChatPlan
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint
from openai_api.responses import request as responses_request
from openai_api.responses.events import OPEN_RESPONSES_VERSION, ResponseStream
from openai_api.responses.normalise import response
from openai_api.responses.recent_items import recalled, recent_items
from openai_api.responses.request import ResponsesRequest
from openai_api.responses.translate import translate
from openai_api.responses.truncation import truncate
from openai_api.wire.http_response import WholeResponse

Asked = AsChat[ResponsesRequest]


def plan(asked: Asked, model: ModelRecord) -> ChatPlan:
    if asked.original.truncation == "auto":
        truncate(asked.chat, model)
    return other_dialects.plan(asked, model)


def writer(exchange: Exchange, asked: Asked, plan: ChatPlan) -> ResponseStream:
    # The stream outlasts what need not be told of it again.
    told = replace(asked.original, items=[])
    return ResponseStream(
        plan.expected,
        told,
        lambda items: _keep(exchange.key.id, told, items),
        is_open=OPEN_RESPONSES_VERSION in exchange.request.raw_headers,
    )


def keep(exchange: Exchange, asked: ResponsesRequest, body: dict[str, Any]) -> None:
    _keep(exchange.key.id, asked, body["output"])


def _keep(key_id: int, asked: ResponsesRequest, items: list[dict[str, Any]]) -> None:
    """Keeps an answer's items for a while, unless the caller said not to."""
    if asked.stores:
        recent_items().keep(key_id, items)


RESPONSES: Endpoint[Asked, ChatPlan] = other_dialects.endpoint(
    "responses",
    recall=recalled,
    keep=keep,
    read=other_dialects.reader(responses_request.read, translate),
    plan=plan,
    answer=response,
    writer=writer,
)


class ResponsesView(EndpointView):
    endpoint = RESPONSES


class InputTokensView(GatewayView):
    """An estimate, since the models' tokenizers are not available."""

    async def post(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        tokens = await pipeline.prompt_tokens(RESPONSES, request, key)
        counted = {"object": "response.input_tokens", "input_tokens": tokens}
        return WholeResponse(orjson.dumps(counted))
