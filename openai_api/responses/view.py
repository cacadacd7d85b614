"""`POST /v1/responses`: requests run as chats, whole and streamed."""

from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.chat_completions import other_dialects
from openai_api.chat_completions.other_dialects import AsChat
from openai_api.chat_completions.translate import ChatPlan
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint
from openai_api.responses import request as responses_request
from openai_api.responses.events import ResponseStream
from openai_api.responses.normalise import response
from openai_api.responses.request import ResponsesRequest
from openai_api.responses.translate import translate
from openai_api.responses.truncation import truncate

Asked = AsChat[ResponsesRequest]


def plan(asked: Asked, model: ModelRecord) -> ChatPlan:
    if asked.original.truncation == "auto":
        truncate(asked.chat, model)
    return other_dialects.plan(asked, model)


def writer(exchange: Exchange, asked: Asked, plan: ChatPlan) -> ResponseStream:
    return ResponseStream(plan.expected, asked.original)


RESPONSES: Endpoint[Asked, ChatPlan] = other_dialects.endpoint(
    "responses",
    read=other_dialects.reader(responses_request.read, translate),
    plan=plan,
    answer=response,
    writer=writer,
)


class ResponsesView(EndpointView):
    endpoint = RESPONSES
