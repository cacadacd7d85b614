"""The deltas of chat's normaliser as OpenAI's older `text_completion` objects: whole, or chunks.
Pure.

A text completion has text and nothing else: thoughts are left out.
"""

import time
from typing import Any

from openai_api.chat_completions.answer import ChatStream, dumps
from openai_api.chat_completions.normalise import ChatNormaliser, Delta
from openai_api.use.usage import Usage
from openai_api.wire.ids import text_completion_id


class TextStream(ChatStream):
    """The normaliser's deltas as `text_completion` chunks."""

    object_name = "text_completion"
    new_id = staticmethod(text_completion_id)

    def written(self, delta: Delta) -> bytes:
        choice, parts, _ = delta
        text = parts.get("content")
        if not text:
            return b""
        self.begun = True
        return self._text(choice, text, None)

    def _finish_chunk(self, index: int, reason: str) -> bytes:
        return self._text(index, "", reason)

    def _text(self, index: int, text: str, finish: str | None) -> bytes:
        choice = _choice(index, text, finish)
        return self._head + b',"choices":[' + dumps(choice) + b"]" + self._tail


def choice_of(index: int, normaliser: ChatNormaliser, deltas: list[Delta]) -> dict[str, Any]:
    """The choice that one answer becomes."""
    text = "".join(parts.get("content", "") for choice, parts, _ in deltas if choice == 0)
    return _choice(index, text, normaliser.finish_reason)


def text_completion(choices: list[dict[str, Any]], *, model: str, usage: Usage) -> bytes:
    return dumps(
        {
            "id": text_completion_id(),
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
            "choices": choices,
            "usage": usage.as_openai(),
        }
    )


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
