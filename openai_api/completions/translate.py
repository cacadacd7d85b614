"""A text completion → one upstream call for each choice. Pure.

Comes in: a CompletionRequest and the catalog's record. Goes out: a CompletionPlan. A chat model
gets a chat whose only message is the prompt; the few models without messages get the prompt itself.
Raises BadRequest where the model cannot do what was asked.
"""

from dataclasses import dataclass, replace

import orjson

from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions import translate as chat
from openai_api.chat_completions.translate import ChatPlan, family_of, least_effort
from openai_api.completions.request import CompletionRequest, as_messages


@dataclass(frozen=True, slots=True)
class CompletionPlan:
    """The upstream calls in the order of the choices. `takes_messages`: the calls are chats;
    otherwise they run the model with a prompt.
    """

    calls: tuple[ChatPlan, ...]
    takes_messages: bool

    def most_prompt_tokens(self) -> int:
        return sum(call.most_prompt_tokens() for call in self.calls)


def translate(
    asked: CompletionRequest, model: ModelRecord, *, default_max_tokens: int | None
) -> CompletionPlan:
    """The plan for this model; raises BadRequest."""
    chat_asked = asked.chat
    if chat_asked.reasoning_effort is None:
        # A text completion has a short limit and no thoughts, so as little as can be goes to them.
        effort = least_effort(model.chat or ChatFacts(), family_of(model.name))
        chat_asked = replace(chat_asked, reasoning_effort=effort)
    calls = []
    for prompt in asked.prompts:
        for number in range(asked.n):
            settings = dict(chat_asked.settings)
            if settings.get("seed") is not None:
                # Choices of one prompt differ: each takes the next seed.
                settings["seed"] += number
            question = replace(chat_asked, messages=as_messages(prompt), settings=settings)
            calls.append(chat.translate(question, model, default_max_tokens=default_max_tokens))
    return CompletionPlan(tuple(calls), takes_messages="chat" in model.endpoints)


def run_body(call: ChatPlan) -> bytes:
    """The same call for a model without messages, which is run with the prompt."""
    payload = {k: v for k, v in call.payload.items() if k not in ("model", "messages")}
    return orjson.dumps({"prompt": call.payload["messages"][0]["content"], **payload})
