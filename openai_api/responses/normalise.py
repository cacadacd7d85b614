"""The deltas of chat's normaliser as OpenAI's `response` object and its items. Pure.

`events.py` beside it gives the same as a stream. Nothing is stored, and the object says so.
"""

import time
from typing import Any

import orjson

from openai_api.chat_completions import custom_tools
from openai_api.chat_completions.answer import dumps
from openai_api.chat_completions.blocks import Block, Blocks
from openai_api.chat_completions.normalise import ChatNormaliser, Delta
from openai_api.chat_completions.sealed import sealed
from openai_api.responses.request import OfferedTool, ResponsesRequest
from openai_api.use.usage import Usage
from openai_api.wire.ids import response_id, response_item_id
from openai_api.wire.tool_lists import ToolList

_PREFIXES = {"reasoning": "rs", "text": "msg", "refusal": "msg", "call": "fc"}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}

COMPLETED, INCOMPLETE, IN_PROGRESS = "completed", "incomplete", "in_progress"


def response(
    asked: ResponsesRequest, normaliser: ChatNormaliser, deltas: list[Delta], usage: Usage
) -> dict[str, Any]:
    """The whole answer."""
    blocks = Blocks()
    for delta in deltas:
        blocks.take(delta)
    items = ResponseItems(asked)
    status, details = ending(normaliser, blocks)
    body = skeleton(asked)
    body |= ended(status, details) | {
        "output": items.all(blocks, status),
        "usage": usage_of(usage),
    }
    return body


def skeleton(asked: ResponsesRequest) -> dict[str, Any]:
    """The object without an answer: what was asked for, as this gateway understood it."""
    return {
        "id": response_id(),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": IN_PROGRESS,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "max_tool_calls": asked.max_tool_calls,
        "model": asked.model,
        "output": [],
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": None,
        "prompt_cache_key": asked.cache_key or None,
        "reasoning": {"effort": asked.effort, "summary": asked.summary},
        "safety_identifier": asked.safety_identifier,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0 if asked.temperature is None else asked.temperature,
        "presence_penalty": asked.settings.get("presence_penalty", 0),
        "frequency_penalty": asked.settings.get("frequency_penalty", 0),
        "text": {
            "format": _format(asked.text_format),
            **({"verbosity": asked.verbosity} if asked.verbosity else {}),
        },
        "tool_choice": asked.tool_choice,
        "tools": orjson.Fragment(asked.tools.shown.made(_as_shown)),
        "top_logprobs": asked.top_logprobs or 0,
        "top_p": 1.0 if asked.top_p is None else asked.top_p,
        "truncation": asked.truncation,
        "usage": None,
        "metadata": asked.metadata,
        **({"user": asked.user} if asked.user else {}),
    }


def ending(normaliser: ChatNormaliser, blocks: Blocks) -> tuple[str, dict[str, str] | None]:
    """(status, incomplete_details), once the normaliser has ended."""
    # A tool call that was cut off cannot be run, so the caller has to know.
    cut_off = normaliser.cut_short and blocks.broke_off
    reason = "length" if cut_off else normaliser.finish_reason
    if reason in _INCOMPLETE:
        return INCOMPLETE, {"reason": _INCOMPLETE[reason]}
    return COMPLETED, None


def ended(status: str, details: dict[str, str] | None) -> dict[str, Any]:
    """The fields that say how the answer ended."""
    completed_at = int(time.time()) if status == COMPLETED else None
    return {"status": status, "incomplete_details": details, "completed_at": completed_at}


class ResponseItems:
    """The items of one answer, each with one id from its first event to its last."""

    def __init__(self, asked: ResponsesRequest) -> None:
        # A caller that asks for a summary gets the thought as the summary: models give no other.
        self.summarises = asked.summary is not None
        self._gives_sealed_thoughts = asked.wants_sealed_thoughts
        self._tools = asked.tools
        self._ids: list[str] = []

    def id_of(self, block: Block) -> str:
        while len(self._ids) <= block.index:
            self._ids.append("")
        if not self._ids[block.index]:
            prefix = "ctc" if self.is_custom(block) else _PREFIXES[block.kind]
            self._ids[block.index] = response_item_id(prefix)
        return self._ids[block.index]

    def tool_of(self, block: Block) -> OfferedTool | None:
        """The tool that a call means; None where the model called one that was not offered."""
        return self._tools.called(block.name)

    def is_custom(self, block: Block) -> bool:
        tool = self.tool_of(block) if block.kind == "call" else None
        return tool is not None and tool.is_custom

    def all(self, blocks: Blocks, status: str) -> list[dict[str, Any]]:
        """Every item; where the answer is incomplete, so is its last item."""
        last = len(blocks.all) - 1
        return [
            self.item(block, status if block.index == last else COMPLETED) for block in blocks.all
        ]

    def item(self, block: Block, status: str) -> dict[str, Any]:
        return self.empty(block) | self._filled(block) | {"status": status}

    def empty(self, block: Block) -> dict[str, Any]:
        """The item as it is when it opens."""
        item: dict[str, Any] = {"id": self.id_of(block), "status": IN_PROGRESS}
        if block.kind == "reasoning":
            return (
                item
                | {"type": "reasoning", "summary": []}
                | ({} if self.summarises else {"content": []})
            )
        if block.kind == "call":
            return item | self._empty_call(block)
        return item | {"type": "message", "role": "assistant", "content": []}

    def name_of(self, block: Block) -> str:
        """The name of a call's tool, as the caller gave it."""
        tool = self.tool_of(block)
        return block.name if tool is None else tool.name

    def _empty_call(self, block: Block) -> dict[str, Any]:
        tool = self.tool_of(block)
        call = {"call_id": block.call_id, "name": self.name_of(block)}
        if tool is not None and tool.namespace:
            call["namespace"] = tool.namespace
        if self.is_custom(block):
            return {"type": "custom_tool_call", **call, "input": ""}
        return {"type": "function_call", **call, "arguments": ""}

    def part(self, block: Block, text: str) -> dict[str, Any]:
        """A content part with this much of its text."""
        if block.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        if block.kind == "reasoning":
            kind = "summary_text" if self.summarises else "reasoning_text"
            return {"type": kind, "text": text}
        logprobs = block.logprobs if text else []
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}

    def _filled(self, block: Block) -> dict[str, Any]:
        if self.is_custom(block):
            return {"input": custom_tools.input_of(block.text)}
        if block.kind == "call":
            return {"arguments": block.text}
        part = self.part(block, block.text)
        filled: dict[str, Any] = {"summary" if self._is_summary(block) else "content": [part]}
        if block.kind == "reasoning" and self._gives_sealed_thoughts:
            filled["encrypted_content"] = sealed(block.text)
        return filled

    def _is_summary(self, block: Block) -> bool:
        return block.kind == "reasoning" and self.summarises


def usage_of(usage: Usage) -> dict[str, Any]:
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens or 0,
            "cache_write_tokens": 0,
        },
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": prompt + completion,
        **usage.shown_cost(),
    }


def _format(wanted: dict[str, Any]) -> dict[str, Any]:
    """The text's format with all fields that OpenAI's has."""
    if wanted["type"] != "json_schema":
        return wanted
    return {"description": None, "strict": False, **wanted}


def _as_shown(tools: ToolList[dict[str, Any]]) -> bytes:
    return dumps([_tool(tool) for tool in tools])


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """The tool with all fields that OpenAI's has."""
    if tool["type"] != "function":
        return tool
    return {"description": None, "parameters": None, "strict": None, **tool}
