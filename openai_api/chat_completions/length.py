"""How long a chat is: the likely number of its characters, and the most tokens that it can have.
Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions.request import ChatRequest
from openai_api.errors import BadRequest
from openai_api.use.token_estimate import most_tokens

# For room that is surely there, and for prompts that surely do not fit.
CHARACTERS_PER_TOKEN_AT_LEAST = 3
CHARACTERS_PER_TOKEN_AT_MOST = 8
# What models' templates put around a prompt and around each of its messages, and the most that
# one picture counts for.
TOKENS_AROUND_A_PROMPT: Final = 16
TOKENS_AROUND_A_MESSAGE: Final = 8
MOST_TOKENS_OF_A_PICTURE: Final = 8_000


def characters_of(messages: Iterable[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()) -> int:
    """Characters of text that a model will read; pictures are counted by upstream."""
    total = len(orjson.dumps(tools)) if tools else 0
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            total += len(content)
        elif content is not None:
            total += sum(len(part["text"]) for part in content if part["type"] == "text")
        for call in message.get("tool_calls", ()):
            total += len(call["function"]["arguments"])
    return total


def default_limit(
    model: ModelRecord, facts: ChatFacts, characters: int, default_max_tokens: int
) -> int:
    """An output limit that suits a chat and fits the context; upstream's would be 256 tokens."""
    limit = default_max_tokens
    if facts.max_output_tokens:
        limit = min(limit, facts.max_output_tokens)
    if model.context_window:
        room = model.context_window - characters // CHARACTERS_PER_TOKEN_AT_LEAST - 64
        limit = min(limit, max(room, 256))
    return limit


def check_length(asked: ChatRequest, model: ModelRecord, characters: int) -> None:
    """Refuses what certainly exceeds the context window; upstream decides the rest."""
    window = model.context_window
    if not window:
        return
    prompt = characters // CHARACTERS_PER_TOKEN_AT_MOST
    completion = asked.max_tokens or 0
    if prompt + completion <= window:
        return
    raise BadRequest(
        f"This model's maximum context length is {window} tokens. However, you requested "
        f"{prompt + completion} tokens ({prompt} in the messages, {completion} in the completion). "
        "Please reduce the length of the messages or completion.",
        param="messages",
        code="context_length_exceeded",
    )


def most_prompt_tokens(payload: Mapping[str, Any]) -> int:
    """Of what is sent upstream, tools and schemas included."""
    total = TOKENS_AROUND_A_PROMPT
    for name, value in payload.items():
        if name == "messages":
            total += sum(map(_most_of_message, value))
        elif name == "image":
            total += MOST_TOKENS_OF_A_PICTURE
        elif isinstance(value, dict | list):
            total += len(orjson.dumps(value))
    return total


def _most_of_message(message: Mapping[str, Any]) -> int:
    total = TOKENS_AROUND_A_MESSAGE
    for name, value in message.items():
        if isinstance(value, str):
            total += 0 if name == "role" else most_tokens(value)
        elif name == "content" and isinstance(value, list):
            total += sum(map(_most_of_part, value))
        elif value is not None:
            total += len(orjson.dumps(value))
    return total


def _most_of_part(part: Mapping[str, Any]) -> int:
    if part["type"] == "text":
        return most_tokens(part["text"])
    return MOST_TOKENS_OF_A_PICTURE if part["type"] == "image_url" else len(orjson.dumps(part))
