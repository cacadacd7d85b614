"""Endpoints of other dialects, whose requests run as chats."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from keys.access.key_record import KeyRecord
from openai_api.chat_completions import view as chat
from openai_api.chat_completions.answer import dumps
from openai_api.chat_completions.attachments import read_attachments
from openai_api.chat_completions.normalise import ChatNormaliser, Delta
from openai_api.chat_completions.pictures import NamedPart
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.translate import ChatPlan
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result
from openai_api.use.usage import Usage
from openai_api.wire.body import chat_body
from openai_api.wire.http_response import EventStreamResponse
from openai_api.wire.stream_writer import StreamWriter
from workers_ai.client import WorkersAIClient


class DialectRequest(Protocol):
    """What a request has in every dialect."""

    model: str
    stream: bool
    user: str


RequestT = TypeVar("RequestT", bound=DialectRequest)


@dataclass(frozen=True, slots=True)
class AsChat(Generic[RequestT]):
    """A request of another dialect beside the chat that it runs as.

    `original` is what the caller wrote; `attachments` are named as the caller named them.
    """

    original: RequestT
    chat: ChatRequest
    attachments: list[NamedPart]

    @property
    def model(self) -> str:
        return self.original.model

    @property
    def stream(self) -> bool:
        return self.original.stream

    @property
    def user(self) -> str:
        return self.original.user


def reader(
    read: Callable[[dict[str, Any]], RequestT],
    translate: Callable[[RequestT], tuple[ChatRequest, list[NamedPart]]],
) -> Callable[[dict[str, Any]], AsChat[RequestT]]:
    """Reads a body with `read` and adds the chat that `translate` makes of it."""

    def read_both(body: dict[str, Any]) -> AsChat[RequestT]:
        original = read(body)
        return AsChat(original, *translate(original))

    return read_both


def endpoint(
    name: str,
    *,
    read: Callable[[dict[str, Any]], AsChat[RequestT]],
    plan: Callable[[AsChat[RequestT], ModelRecord], ChatPlan],
    answer: Callable[[RequestT, ChatNormaliser, list[Delta], Usage], dict[str, Any]],
    writer: Callable[[Exchange, AsChat[RequestT], ChatPlan], StreamWriter],
    recall: Callable[[dict[str, Any], KeyRecord], dict[str, Any]] | None = None,
    keep: Callable[[Exchange, RequestT, dict[str, Any]], None] | None = None,
) -> Endpoint[AsChat[RequestT], ChatPlan]:
    """An endpoint whose requests run as chats.

    `answer` makes the whole answer of the chat's deltas, `writer` the events of a stream. `recall`
    puts what a body refers to into it; `keep` takes a whole answer for that.
    """

    async def whole(
        exchange: Exchange, asked: AsChat[RequestT], plan: ChatPlan, client: WorkersAIClient
    ) -> Result:
        normaliser, deltas, used = await chat.answered(exchange, asked.chat, plan, client)
        body = answer(asked.original, normaliser, deltas, used.usage)
        if keep is not None:
            keep(exchange, asked.original, body)
        return Result(dumps(body), used, finish_reason=normaliser.finish_reason)

    async def streamed(
        exchange: Exchange, asked: AsChat[RequestT], plan: ChatPlan, client: WorkersAIClient
    ) -> EventStreamResponse:
        events = writer(exchange, asked, plan)
        return await chat.stream_to(events, exchange, asked.chat, plan, client)

    return Endpoint(
        name=name,
        body=chat_body,
        read=read,
        recall=recall,
        ignored=attrgetter("chat.ignored"),
        fetch=_fetch,
        plan=plan,
        most=_most,
        most_prompt_tokens=ChatPlan.most_prompt_tokens,
        stretch=chat.stretch,
        whole=whole,
        streamed=streamed,
    )


def _fetch(exchange: Exchange, asked: AsChat[RequestT]) -> Awaitable[bool] | None:
    named = asked.attachments
    return read_attachments(exchange, asked.chat, named) if named else None


def plan(asked: AsChat[RequestT], model: ModelRecord) -> ChatPlan:
    return chat.plan(asked.chat, model)


def _most(asked: AsChat[RequestT], plan: ChatPlan, model: ModelRecord) -> Quantities:
    return chat.most(asked.chat, plan, model)
