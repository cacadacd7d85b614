"""`POST /v1/messages` and its `count_tokens`: requests run as chats."""

from dataclasses import replace
from typing import Any

import orjson
from django.http.response import HttpResponseBase

from keys.access.key_record import KeyRecord
from openai_api import pipeline
from openai_api.base import EndpointView, GatewayView
from openai_api.chat_completions import other_dialects
from openai_api.chat_completions.other_dialects import AsChat
from openai_api.chat_completions.translate import ChatPlan
from openai_api.exchange import Exchange
from openai_api.messages import request as messages_request
from openai_api.messages.events import MessageStream
from openai_api.messages.normalise import message
from openai_api.messages.request import MessagesRequest
from openai_api.messages.translate import translate
from openai_api.pipeline import Endpoint
from openai_api.use.token_estimate import prompt_tokens
from openai_api.wire.http_response import WholeResponse
from openai_api.wire.tool_lists import ToolList

Asked = AsChat[MessagesRequest]


def writer(exchange: Exchange, asked: Asked, plan: ChatPlan) -> MessageStream:
    assert exchange.model is not None
    return MessageStream(
        plan.expected,
        # The stream outlasts what need not be told of it again.
        replace(asked.original, messages=[], system=None, tools=ToolList()),
        estimate=prompt_tokens(exchange.model.name, plan.prompt_characters),
        request_id=exchange.request.request_id,
    )


MESSAGES: Endpoint[Asked, ChatPlan] = other_dialects.endpoint(
    "messages",
    read=other_dialects.reader(messages_request.read, translate),
    plan=other_dialects.plan,
    answer=message,
    writer=writer,
)
PROMPT_ONLY = replace(MESSAGES, read=other_dialects.reader(messages_request.read_prompt, translate))


class MessagesView(EndpointView):
    endpoint = MESSAGES

    async def post(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        response = await super().post(request, key)
        response["request-id"] = request.request_id
        return response


class CountTokensView(GatewayView):
    """An estimate, since the models' tokenizers are not available."""

    async def post(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        tokens = await pipeline.prompt_tokens(PROMPT_ONLY, request, key)
        response = WholeResponse(orjson.dumps({"input_tokens": tokens}))
        response["request-id"] = request.request_id
        return response
