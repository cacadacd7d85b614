"""How long a chat is: the likely number of its characters, and the most tokens that it can have.
Pure.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from openai_api.chat_completions.request import ChatRequest
from openai_api.use.token_estimate import most_tokens

# What models' templates put around a prompt and around each of its messages, and the most that
# one picture counts for.
TOKENS_AROUND_A_PROMPT: Final = 16
TOKENS_AROUND_A_MESSAGE: Final = 8
MOST_TOKENS_OF_A_PICTURE: Final = 8_000


def characters(asked: ChatRequest) -> int:
    """Characters of text that a model will read; pictures are counted by upstream."""
    total = len(orjson.dumps(asked.tools)) if asked.tools else 0
    return total + sum(map(characters_of, asked.messages))


def characters_of(message: dict[str, Any]) -> int:
    content = message["content"] or ""
    if not isinstance(content, str):
        content = "".join(part["text"] for part in content if part["type"] == "text")
    calls = message.get("tool_calls", ())
    return len(content) + sum(len(call["function"]["arguments"]) for call in calls)


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
