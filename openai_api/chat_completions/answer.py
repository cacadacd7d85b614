"""The deltas of chat's normaliser as OpenAI's objects: one completion, or chunks. Pure.

Objects are built anew, not patched from upstream's: one id, one time, the model as the client named
it, the role first, one finish_reason for each choice.
"""

import time
from collections.abc import Iterator
from typing import Any

import orjson

from openai_api.chat_completions.answer_stream import AnswerStream
from openai_api.chat_completions.custom_calls import CustomCalls, whole_call
from openai_api.chat_completions.normalise import ChatNormaliser, Delta, Expected
from openai_api.errors import ApiError
from openai_api.use.usage import Usage
from openai_api.wire.ids import completion_id

DONE = b"data: [DONE]\n\n"


class ChatStream(AnswerStream):
    """The normaliser's deltas as `chat.completion.chunk` events."""

    object_name = "chat.completion.chunk"
    new_id = staticmethod(completion_id)

    def __init__(self, expected: Expected, *, include_usage: bool) -> None:
        super().__init__(expected)
        self._expected = expected
        self._include_usage = include_usage
        self._legacy_functions = expected.legacy_functions
        self._hides_thoughts = expected.hides_thoughts
        self._custom = CustomCalls(expected.custom_tools) if expected.custom_tools else None
        head = {
            "id": self.new_id(),
            "object": self.object_name,
            "created": int(time.time()),
            "model": expected.model,
        }
        self._head = b"data: " + orjson.dumps(head)[:-1]
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        # The bytes before each delta of a choice that has begun, and those after every delta but
        # the last.
        self._before: dict[int, bytes] = {}
        self._behind = self._end_of_chunk(None, None)

    def opening(self) -> bytes:
        return self.written((next(iter(self.normaliser.choices)), {}, None))

    def anew(self) -> "ChatStream":
        """A new stream for a second try, when the first brought nothing."""
        return type(self)(self._expected, include_usage=self._include_usage)

    def ended(self, deltas: list[Delta]) -> bytes:
        """The last deltas, and for each choice one chunk with its finish_reason."""
        return b"".join(self._last_chunks(deltas))

    def last(self, usage: Usage) -> bytes:
        """The chunk with usage and without choices, where it was asked for, and `[DONE]`."""
        if not self._include_usage:
            return DONE
        chunk = self._head + b',"choices":[],"usage":' + orjson.dumps(usage.as_openai())
        return chunk + b"}\n\n" + DONE

    def failed(self, error: ApiError) -> bytes:
        """The event that ends a stream that failed; no `[DONE]` follows it."""
        return b"data: " + error.body() + b"\n\n"

    def _last_chunks(self, deltas: list[Delta]) -> Iterator[bytes]:
        yield from map(self.written, deltas)
        if self._custom is not None:
            for choice, calls in self._custom.rest().items():
                yield self._before[choice] + dumps({"tool_calls": calls}) + self._behind
        for index, reason in self.normaliser.finish_reasons.items():
            yield self._finish_chunk(index, reason)

    def written(self, delta: Delta) -> bytes:
        choice, parts, logprobs = delta
        if self._hides_thoughts and "reasoning_content" in parts:
            return b""
        if "tool_calls" in parts:
            if self._legacy_functions:
                parts = _as_function_call(parts["tool_calls"][0])
            elif self._custom is not None:
                calls = self._custom.told(choice, parts["tool_calls"])
                if not calls:
                    return b""
                parts = {**parts, "tool_calls": calls}
        before = self._before.get(choice)
        if before is None:
            self.begun = True
            before = self._before[choice] = self._start_of_chunk(choice)
            parts = {"role": "assistant", "content": "", **parts}
        if logprobs is None:
            try:
                return before + orjson.dumps(parts) + self._behind
            except TypeError:
                return before + dumps(parts) + self._behind
        return before + dumps(parts) + self._end_of_chunk(logprobs, None)

    def _finish_chunk(self, index: int, reason: str) -> bytes:
        parts = {} if index in self._before else {"role": "assistant", "content": ""}
        if reason == "tool_calls" and self._legacy_functions:
            reason = "function_call"
        return self._start_of_chunk(index) + dumps(parts) + self._end_of_chunk(None, reason)

    def _start_of_chunk(self, index: int) -> bytes:
        return self._head + b',"choices":[{"index":' + dumps(index) + b',"delta":'

    def _end_of_chunk(self, logprobs: Any, finish: str | None) -> bytes:
        told = b',"logprobs":' + dumps(logprobs) + b',"finish_reason":' + dumps(finish)
        return told + b"}]" + self._tail


def completion(normaliser: ChatNormaliser, deltas: list[Delta]) -> dict[str, Any]:
    """The `chat.completion` object of all that the normaliser gave; the caller adds `usage`."""
    # Of each choice, the pieces of its texts by their names.
    told: dict[int, dict[str, list[str]]] = {}
    logprobs: dict[int, list[Any]] = {}
    for index, parts, chances in deltas:
        pieces = told.setdefault(index, {})
        for name, piece in parts.items():
            if name != "tool_calls":
                pieces.setdefault(name, []).append(piece)
        if chances:
            logprobs.setdefault(index, []).extend(chances["content"])
    choices = []
    for index, reason in normaliser.finish_reasons.items():
        pieces = told.get(index, {})
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(pieces.get("content", ())),
            "refusal": "".join(pieces["refusal"]) if "refusal" in pieces else None,
        }
        if "reasoning_content" in pieces and not normaliser.expected.hides_thoughts:
            message["reasoning_content"] = "".join(pieces["reasoning_content"])
        found = normaliser.choices[index].calls
        calls = found.whole() if found is not None else []
        if calls:
            message["content"] = message["content"] or None
            if normaliser.expected.legacy_functions:
                message["function_call"] = calls[0]["function"]
                reason = "function_call" if reason == "tool_calls" else reason
            else:
                custom = normaliser.expected.custom_tools
                message["tool_calls"] = [whole_call(call, custom) for call in calls]
        choices.append(
            {
                "index": index,
                "message": message,
                "logprobs": {"content": logprobs[index], "refusal": None}
                if index in logprobs
                else None,
                "finish_reason": reason,
            }
        )
    return {
        "id": completion_id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": normaliser.expected.model,
        "choices": choices,
    }


def _as_function_call(part: dict[str, Any]) -> dict[str, Any]:
    """A tool-call delta for a client that uses `functions`, which can hold one call only."""
    return {"function_call": part["function"]} if part["index"] == 0 else {}


def dumps(value: Any) -> bytes:
    """JSON by orjson, also for text with lone surrogates, which orjson refuses."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_mended(value))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return value
