"""`POST /v1/responses`: the folder's steps around those of chat, whole and streamed."""

from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.chat_completions import retold
from openai_api.chat_completions.retold import Retold
from openai_api.chat_completions.translate import ChatPlan
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint
from openai_api.responses import request as responses_request
from openai_api.responses.events import ResponseStream
from openai_api.responses.normalise import response
from openai_api.responses.request import ResponsesRequest
from openai_api.responses.translate import translate
from openai_api.responses.truncation import truncate

Asked = Retold[ResponsesRequest]


def plan(asked: Asked, model: ModelRecord) -> ChatPlan:
    if asked.itself.truncation == "auto":
        truncate(asked.chat, model)
    return retold.plan(asked, model)


def writer(exchange: Exchange, asked: Asked, plan: ChatPlan) -> ResponseStream:
    return ResponseStream(plan.expected, asked.itself)


RESPONSES: Endpoint[Asked, ChatPlan] = retold.endpoint(
    "responses",
    read=retold.reader(responses_request.read, translate),
    plan=plan,
    answer=response,
    writer=writer,
)


class ResponsesView(EndpointView):
    endpoint = RESPONSES
