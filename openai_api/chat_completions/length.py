"""How long a chat is: the likely number of its characters, and the most tokens that it can have.
Pure.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from catalog import learnt
from catalog.snapshot import ModelRecord
from openai_api.chat_completions.request import ChatRequest
from openai_api.errors import BadRequest
from openai_api.use.token_estimate import estimates, most_tokens
from openai_api.wire.tool_lists import ToolList

Tools = ToolList[dict[str, Any]]
NO_TOOLS: Final[Tools] = ToolList()

# For prompts that certainly do not fit: runs of blanks are what tokenizers shorten most.
CHARACTERS_PER_TOKEN_AT_MOST: Final = 16
# A prompt of fewer bytes than this part of the window need not be estimated closely: what it leaves
# at least is more than an answer has.
LONG_PROMPT: Final = 4
# Less room than this part of the window: then the prompt may fill it.
LITTLE_ROOM: Final = 8
LIKELY_AND_SPARE: Final = 1.1
LEAST_ROOM: Final = 256
# Where neither the catalog nor upstream says how much a model can give.
LIMIT_IN_AN_UNKNOWN_WINDOW: Final = 4_096
# What models' templates put around a prompt and around each of its messages, and the most that
# one picture counts for.
TOKENS_AROUND_A_PROMPT: Final = 16
TOKENS_AROUND_A_MESSAGE: Final = 8
MOST_TOKENS_OF_A_PICTURE: Final = 8_000
# Of one picture where upstream did not count.
USUAL_TOKENS_OF_A_PICTURE: Final = 1_000


def characters_of(messages: Iterable[dict[str, Any]], tools: Tools = NO_TOOLS) -> int:
    """Characters of text that a model will read, with those of its tools as JSON; pictures are
    counted by upstream.
    """
    total = len(tools.as_json()) if tools else 0
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            total += len(content)
        elif content is not None:
            total += sum(len(part["text"]) for part in content if part["type"] == "text")
        if len(message) > 2:
            for call in message.get("tool_calls", ()):
                total += len(call["function"]["arguments"])
            # Earlier thoughts, which are sent again.
            total += len(message.get("reasoning") or "")
    return total


def output_limit(
    asked: ChatRequest,
    model: ModelRecord,
    payload: Mapping[str, Any],
    *,
    default: int | None,
) -> tuple[int, int | None]:
    """(the output limit to send, the most tokens of the prompt where they were counted for it).

    A client's own limit is kept, unless its dialect lets an answer end with the window. Without one
    it is `default`, or else as much as the model gives and the window leaves: upstream's own
    default would be 256 tokens.
    """
    if asked.max_tokens is not None and not asked.limit_may_shrink:
        return asked.max_tokens, None
    limits = (asked.max_tokens or default, learnt.most_output_of(model))
    limit = min((limit for limit in limits if limit), default=None)
    window = learnt.window_of(model)
    if window is None:
        return limit or LIMIT_IN_AN_UNKNOWN_WINDOW, None
    texts, others = _texts_of(payload)
    tools = payload.get("tools", NO_TOOLS)
    most = others + most_tokens(texts) + tools.made(_most_tokens)
    if most <= window // LONG_PROMPT:
        room = window - most
    elif limit is not None and math.ceil(most * LIKELY_AND_SPARE) + limit <= window:
        # It fits beside any estimate.
        return limit, most
    else:
        room = _estimated_room(window, texts, tools, others)
    room = max(room, LEAST_ROOM)
    return room if limit is None else min(limit, room), most


def _estimated_room(window: int, texts: list[str], tools: Tools, others: int) -> int:
    """Tokens that the window leaves beside the prompt.

    The prompt is estimated high, so that upstream does not refuse prompt and limit together; a
    prompt that may fill the window is taken at its likely length.
    """
    likely, generous = map(sum, zip(estimates(texts), tools.made(_estimates), strict=True))
    likely = math.ceil((others + likely) * LIKELY_AND_SPARE)
    room = window - max(likely, others + generous)
    return room if room >= window // LITTLE_ROOM else window - likely


def check_length(asked: ChatRequest, model: ModelRecord, characters: int) -> None:
    """Refuses what certainly exceeds the context window; upstream decides the rest."""
    window = model.context_window
    if not window:
        return
    prompt = characters // CHARACTERS_PER_TOKEN_AT_MOST
    completion = 0 if asked.limit_may_shrink else asked.max_tokens or 0
    if prompt + completion <= window:
        return
    raise BadRequest(
        f"This model's maximum context length is {window} tokens. However, you requested "
        f"{prompt + completion} tokens ({prompt} in the messages, {completion} in the completion). "
        "Please reduce the length of the messages or completion.",
        param="messages",
        code="context_length_exceeded",
    )


def usual_picture_tokens(payload: Mapping[str, Any]) -> int:
    """The tokens that are likely for the pictures that are sent upstream."""
    pictures = sum(
        part["type"] == "image_url"
        for message in payload["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    )
    return USUAL_TOKENS_OF_A_PICTURE * (pictures + ("image" in payload))


def most_prompt_tokens(payload: Mapping[str, Any]) -> int:
    """The most tokens of what is sent upstream, tools and schemas included."""
    texts, others = _texts_of(payload)
    tools: Tools = payload.get("tools", NO_TOOLS)
    return others + most_tokens(texts) + tools.made(_most_tokens)


def _most_tokens(tools: Tools) -> int:
    return most_tokens([tools.as_json().decode()]) if tools else 0


def _estimates(tools: Tools) -> tuple[int, int]:
    return estimates([tools.as_json().decode()] if tools else ())


def _texts_of(payload: Mapping[str, Any]) -> tuple[list[str], int]:
    """All texts in the payload but its tools, and the tokens of pictures and of the template around
    it all."""
    texts: list[str] = []
    # Written as JSON, all at once: one by one takes as long as all else.
    written: list[Any] = []
    others = TOKENS_AROUND_A_PROMPT
    for name, value in payload.items():
        if name == "messages":
            others += _add_messages(value, texts, written)
        elif name == "image":
            others += MOST_TOKENS_OF_A_PICTURE
        elif isinstance(value, dict | list) and name != "tools":
            written.append(value)
    if written:
        texts.append(orjson.dumps(written).decode())
    return texts, others


def _add_messages(messages: list[dict[str, Any]], texts: list[str], written: list[Any]) -> int:
    """Adds their texts, and what is written; returns the tokens of their pictures, and those around
    each of them."""
    others = TOKENS_AROUND_A_MESSAGE * len(messages)
    for message in messages:
        for name, value in message.items():
            if isinstance(value, str):
                if name != "role":
                    texts.append(value)
            elif name == "content" and isinstance(value, list):
                for part in value:
                    if part["type"] == "text":
                        texts.append(part["text"])
                    elif part["type"] == "image_url":
                        others += MOST_TOKENS_OF_A_PICTURE
                    else:
                        written.append(part)
            elif value is not None:
                written.append(value)
    return others
