"""The deltas of chat's normaliser as the events of Anthropic's message. Pure.

One block is finished before the next begins. The stream ends with `message_stop`; one that fails
with `error`.
"""

from typing import Any

from openai_api.chat_completions.answer import dumps
from openai_api.chat_completions.answer_stream import AnswerStream
from openai_api.chat_completions.blocks import Block, Blocks, Step
from openai_api.chat_completions.normalise import Delta, Expected
from openai_api.errors import ApiError, in_words_of_anthropic
from openai_api.messages.normalise import (
    empty_block,
    ending,
    shown,
    signature,
    skeleton,
    usage_of,
)
from openai_api.messages.request import MessagesRequest
from openai_api.use.usage import Usage

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'


class MessageStream(AnswerStream):
    """`estimate`: tokens of the prompt, which Anthropic sends before the answer begins."""

    def __init__(
        self, expected: Expected, asked: MessagesRequest, *, estimate: int, request_id: str
    ) -> None:
        super().__init__(expected)
        self._expected = expected
        self._asked = asked
        self._estimate = estimate
        self._request_id = request_id
        self._blocks = Blocks()

    def anew(self) -> "MessageStream":
        return MessageStream(
            self._expected, self._asked, estimate=self._estimate, request_id=self._request_id
        )

    def opening(self) -> bytes:
        if self.begun:
            return b""
        self.begun = True
        usage = usage_of(Usage(prompt_tokens=self._estimate))
        message = skeleton(self._asked) | {"usage": usage}
        return _event("message_start", message=message) + _PING

    def written(self, delta: Delta) -> bytes:
        steps = self._blocks.take(shown(delta, self._asked))
        return self.opening() + b"".join(map(self._told, steps))

    def ended(self, deltas: list[Delta]) -> bytes:
        told = self.opening() + b"".join(map(self.written, deltas))
        return told + b"".join(map(self._told, self._blocks.end()))

    def last(self, usage: Usage) -> bytes:
        delta = ending(self._asked, self.normaliser, self._blocks)
        return _event("message_delta", delta=delta, usage=usage_of(usage)) + _event("message_stop")

    def failed(self, error: ApiError) -> bytes:
        _, body = in_words_of_anthropic(error, request_id=self._request_id)
        return b"event: error\ndata: " + body + b"\n\n"

    def _told(self, step: Step) -> bytes:
        block = step.block
        if step.what == "grows":
            is_omitted = self._asked.omits_thoughts and block.kind == "reasoning"
            return b"" if is_omitted else _delta(block, step.text)
        if step.what == "opens":
            return _event(
                "content_block_start", index=block.index, content_block=empty_block(block)
            )
        stop = _event("content_block_stop", index=block.index)
        if block.kind == "reasoning":
            signed = {"type": "signature_delta", "signature": signature(block, self._asked)}
            return _event("content_block_delta", index=block.index, delta=signed) + stop
        return stop


def _delta(block: Block, text: str) -> bytes:
    if block.kind == "reasoning":
        delta = {"type": "thinking_delta", "thinking": text}
    elif block.kind == "call":
        delta = {"type": "input_json_delta", "partial_json": text}
    else:
        delta = {"type": "text_delta", "text": text}
    return _event("content_block_delta", index=block.index, delta=delta)


def _event(name: str, **fields: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dumps({"type": name, **fields}) + b"\n\n"
