"""The deltas of chat's normaliser as Anthropic's `message` object and its blocks. Pure.

`events.py` beside it gives the same as a stream.
"""

import hashlib
from base64 import b64encode
from typing import Any

import orjson

from openai_api.chat_completions.blocks import Block, Blocks
from openai_api.chat_completions.normalise import ChatNormaliser, Delta
from openai_api.chat_completions.sealed import sealed
from openai_api.messages.request import MessagesRequest
from openai_api.use.usage import Usage
from openai_api.wire.ids import message_id

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def message(
    asked: MessagesRequest, normaliser: ChatNormaliser, deltas: list[Delta], usage: Usage
) -> dict[str, Any]:
    """The whole answer."""
    blocks = Blocks()
    for delta in deltas:
        blocks.take(shown(delta, asked))
    return (
        skeleton(asked)
        | {"content": [block_of(block, asked) for block in blocks.all]}
        | ending(asked, normaliser, blocks)
        | {"usage": usage_of(usage)}
    )


def skeleton(asked: MessagesRequest) -> dict[str, Any]:
    """The object without an answer."""
    return {
        "id": message_id(),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def shown(delta: Delta, asked: MessagesRequest) -> Delta:
    """The delta without its thought, unless the caller asked for thoughts.

    Callers that did not ask take the first block for the answer.
    """
    choice, parts, _ = delta
    if asked.shows_thinking or "reasoning_content" not in parts:
        return delta
    others = {name: part for name, part in parts.items() if name != "reasoning_content"}
    return choice, others, None


def ending(asked: MessagesRequest, normaliser: ChatNormaliser, blocks: Blocks) -> dict[str, Any]:
    """`stop_reason` and `stop_sequence`, once the normaliser has ended."""
    # A tool call that was cut off cannot be run, so the caller has to know.
    cut_off = normaliser.cut_short and blocks.broke_off
    reason = "length" if cut_off else normaliser.finish_reason
    met = normaliser.stop_met
    if reason == "stop" and met in asked.stops:
        return {"stop_reason": "stop_sequence", "stop_sequence": met}
    return {"stop_reason": _STOP_REASONS[reason], "stop_sequence": None}


def block_of(block: Block, asked: MessagesRequest) -> dict[str, Any]:
    """A complete block."""
    if block.kind == "reasoning":
        thinking = "" if asked.omits_thoughts else block.text
        return {"type": "thinking", "thinking": thinking, "signature": signature(block, asked)}
    if block.kind == "call":
        return {**_call(block), "input": _input(block.text)}
    return {"type": "text", "text": block.text}


def empty_block(block: Block) -> dict[str, Any]:
    """The block as it is when it opens."""
    if block.kind == "reasoning":
        return {"type": "thinking", "thinking": "", "signature": ""}
    if block.kind == "call":
        return {**_call(block), "input": {}}
    return {"type": "text", "text": ""}


def signature(block: Block, asked: MessagesRequest) -> str:
    """A value that clients send back with a thought. Nothing is signed: it only has to be there, or
    to carry the thought where its text is left out."""
    if asked.omits_thoughts:
        return sealed(block.text)
    digest = hashlib.blake2b(block.text.encode("utf-8", "replace"), digest_size=24)
    return b64encode(digest.digest()).decode()


def usage_of(usage: Usage) -> dict[str, Any]:
    """Anthropic counts tokens read from the cache beside the input, not as a part of it."""
    cached = usage.cached_tokens or 0
    return {
        "input_tokens": (usage.prompt_tokens or 0) - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.completion_tokens or 0,
        **usage.shown_cost(),
    }


def _call(block: Block) -> dict[str, Any]:
    return {"type": "tool_use", "id": block.call_id, "name": block.name}


def _input(arguments: str) -> dict[str, Any]:
    """Arguments as an object, which Anthropic requires; a model may have written something else."""
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {"arguments": arguments} if arguments.strip() else {}
    return parsed if isinstance(parsed, dict) else {"arguments": parsed}
