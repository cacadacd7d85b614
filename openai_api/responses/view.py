"""`POST /v1/responses`: the folder's steps around those of chat, whole and streamed."""

from typing import Any

from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.chat_completions import retold
from openai_api.chat_completions import view as chat
from openai_api.chat_completions.answer import dumps
from openai_api.chat_completions.retold import Retold
from openai_api.chat_completions.translate import ChatPlan
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result
from openai_api.responses import request as responses_request
from openai_api.responses.events import ResponseStream
from openai_api.responses.normalise import response
from openai_api.responses.request import ResponsesRequest
from openai_api.responses.translate import translate
from openai_api.responses.truncation import truncate
from openai_api.wire.http_response import EventStreamResponse
from workers_ai.client import WorkersAIClient

Asked = Retold[ResponsesRequest]


def read(body: dict[str, Any]) -> Asked:
    itself = responses_request.read(body)
    return Retold(itself, *translate(itself))


def plan(asked: Asked, model: ModelRecord) -> ChatPlan:
    if asked.itself.truncation == "auto":
        truncate(asked.chat, model)
    return retold.plan(asked, model)


async def whole(
    exchange: Exchange, asked: Asked, plan: ChatPlan, client: WorkersAIClient
) -> Result:
    """The answer as one `response`."""
    machine, deltas, used = await chat.answered(exchange, asked.chat, plan, client)
    body = response(asked.itself, machine, deltas, used.usage)
    return Result(dumps(body), used, finish_reason=machine.finish_reason)


async def streamed(
    exchange: Exchange, asked: Asked, plan: ChatPlan, client: WorkersAIClient
) -> EventStreamResponse:
    """The answer as events."""
    writer = ResponseStream(plan.expected, asked.itself)
    return await chat.stream_to(writer, exchange, asked.chat, plan, client)


RESPONSES: Endpoint[Asked, ChatPlan] = Endpoint(
    name="responses",
    read=read,
    prepare=retold.prepare,
    plan=plan,
    most=retold.most,
    most_prompt_tokens=ChatPlan.most_prompt_tokens,
    whole=whole,
    streamed=streamed,
)


class ResponsesView(EndpointView):
    endpoint = RESPONSES
