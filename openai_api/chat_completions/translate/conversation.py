"""What identifies a conversation, so that all its turns reach one upstream instance. Pure."""

import hashlib
from typing import Any

import orjson

from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.translate.messages import content_for

# Enough of a message to tell conversations apart.
START_OF_CONVERSATION = 4000


def conversation_of(asked: ChatRequest) -> str:
    """What stays the same over the turns of one conversation: its key, or how it began."""
    if asked.cache_key:
        return asked.cache_key
    start = hashlib.blake2b(digest_size=16)
    for message in asked.messages:
        content = message.get("content")
        text = content if isinstance(content, str) else content_for(content)
        start.update(
            text[:START_OF_CONVERSATION].encode("utf-8", "replace")
            if isinstance(text, str)
            else orjson.dumps(_shortened(text))[:START_OF_CONVERSATION]
        )
        if message["role"] == "user":
            break
    return start.hexdigest()


def _shortened(value: Any) -> Any:
    """A copy whose texts are no longer than what is hashed, so that no picture is serialised."""
    if isinstance(value, str):
        return value[:START_OF_CONVERSATION]
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return value
