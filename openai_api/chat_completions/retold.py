"""Requests of other dialects that run as chats: their own form, and chat's beside it."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.chat_completions import view as chat
from openai_api.chat_completions.pictures import NamedPart, inline_parts
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.translate import ChatPlan


class Told(Protocol):
    """What a request has in every dialect."""

    model: str
    stream: bool
    user: str


ToldT = TypeVar("ToldT", bound=Told)


@dataclass(frozen=True, slots=True)
class Retold(Generic[ToldT]):
    """`itself` as the caller wrote it, `chat` as it runs; `pictures` under the caller's names."""

    itself: ToldT
    chat: ChatRequest
    pictures: list[NamedPart]

    @property
    def model(self) -> str:
        return self.itself.model

    @property
    def stream(self) -> bool:
        return self.itself.stream

    @property
    def user(self) -> str:
        return self.itself.user


async def prepare(asked: Retold[ToldT]) -> None:
    await inline_parts(asked.pictures)


def plan(asked: Retold[ToldT], model: ModelRecord) -> ChatPlan:
    return chat.plan(asked.chat, model)


def most(asked: Retold[ToldT], plan: ChatPlan, model: ModelRecord) -> Quantities:
    return chat.most(asked.chat, plan, model)
