"""What identifies a conversation, so that all its turns reach one upstream instance. Pure."""

from typing import Any

import orjson

from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.translate.messages import content_for

# Characters, or bytes of JSON: enough of a message to tell conversations apart.
START_OF_CONVERSATION = 4000


def conversation_of(asked: ChatRequest) -> str:
    """What stays the same over the turns of one conversation: its key, or how it began."""
    if asked.cache_key:
        return asked.cache_key
    begun: list[str] = []
    for message in asked.messages:
        content = message.get("content")
        text = content if isinstance(content, str) else content_for(content)
        if not isinstance(text, str):
            text = orjson.dumps(_shortened(text))[:START_OF_CONVERSATION].decode(errors="replace")
        begun.append(text[:START_OF_CONVERSATION])
        if message["role"] == "user":
            break
    return "".join(begun)


def _shortened(value: Any) -> Any:
    """A copy whose texts are no longer than what is hashed, so that no picture is serialised."""
    if isinstance(value, str):
        return value[:START_OF_CONVERSATION]
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return value
