"""How long a chat is before it is translated for a model. Pure."""

from typing import Any

import orjson

from openai_api.chat_completions.request import ChatRequest


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
