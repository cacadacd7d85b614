"""The deltas of chat's normaliser as OpenAI's typed events of a response. Pure.

Every event carries its type, also as the name of the event, and the next sequence number. The
stream ends with `response.completed` or `response.incomplete`; one that fails with `error` and
`response.failed`. Callers of the Open Responses specification get its names where they differ.
"""

from collections.abc import Callable
from typing import Any

from openai_api.chat_completions.answer import DONE, dumps
from openai_api.chat_completions.answer_stream import AnswerStream
from openai_api.chat_completions.blocks import Block, Blocks, Step
from openai_api.chat_completions.custom_tools import InputReader, input_of
from openai_api.chat_completions.normalise import Delta, Expected
from openai_api.errors import ApiError, in_words_of_responses
from openai_api.responses.normalise import (
    COMPLETED,
    ResponseItems,
    ended,
    ending,
    skeleton,
    usage_of,
)
from openai_api.responses.request import ResponsesRequest
from openai_api.use.usage import Usage

# A failed response has few codes; the event before it has the exact one.
_FAILURES = {400: "invalid_prompt", 429: "rate_limit_exceeded"}


# By which callers of the Open Responses specification say that they follow it.
OPEN_RESPONSES_VERSION = b"openresponses-version"


class ResponseStream(AnswerStream):
    """`keep` gets the items of an answer that ended. `is_open`: the events are those of the Open
    Responses specification, which names those of raw thoughts otherwise and ends with `[DONE]`.
    """

    def __init__(
        self,
        expected: Expected,
        asked: ResponsesRequest,
        keep: Callable[[list[dict[str, Any]]], None],
        *,
        is_open: bool = False,
    ) -> None:
        super().__init__(expected)
        self._keep = keep
        self._is_open = is_open
        self._expected = expected
        self._asked = asked
        self._response = skeleton(asked)
        self._blocks = Blocks()
        self._items = ResponseItems(asked)
        self._inputs: dict[int, InputReader] = {}  # of calls of custom tools, by their block
        self._sequence_number = 0

    def anew(self) -> "ResponseStream":
        return ResponseStream(self._expected, self._asked, self._keep, is_open=self._is_open)

    def opening(self) -> bytes:
        if self.begun:
            return b""
        self.begun = True
        return self._event("response.created", response=self._response) + self._event(
            "response.in_progress", response=self._response
        )

    def written(self, delta: Delta) -> bytes:
        steps = self._blocks.take(delta)
        return self.opening() + b"".join([self._told(step, COMPLETED) for step in steps])

    def ended(self, deltas: list[Delta]) -> bytes:
        told = self.opening() + b"".join(map(self.written, deltas))
        status, details = ending(self.normaliser, self._blocks)
        self._response |= ended(status, details)
        return told + b"".join([self._told(step, status) for step in self._blocks.end()])

    def last(self, usage: Usage) -> bytes:
        status = self._response["status"]
        self._response["usage"] = usage_of(usage)
        self._response["output"] = self._items.all(self._blocks, status)
        self._keep(self._response["output"])
        return self._event(f"response.{status}", response=self._response) + self._done()

    def failed(self, error: ApiError) -> bytes:
        shown = in_words_of_responses(error).as_dict()
        opening = self.opening()
        # The fields are in the event itself, as in OpenAI's reference, and in an `error` object,
        # where the SDKs look before they raise.
        told = {"code": shown["code"], "message": shown["message"], "param": shown["param"]}
        event = self._event("error", **told, error=shown)
        code = _FAILURES.get(error.status, "server_error")
        failure = {"code": code, "message": shown["message"]}
        self._response |= {"status": "failed", "error": failure}
        failed = self._event("response.failed", response=self._response)
        return opening + event + failed + self._done()

    def _done(self) -> bytes:
        return DONE if self._is_open else b""

    # --- Steps --------------------------------------------------------------------------------

    def _told(self, step: Step, status: str) -> bytes:
        """The events of one step; `status` is that of an item which closes."""
        block = step.block
        if step.what == "grows":
            return self._grows(block, step.text, step.logprobs)
        return self._opens(block) if step.what == "opens" else self._closes(block, status)

    def _opens(self, block: Block) -> bytes:
        item = self._items.empty(block)
        added = self._event("response.output_item.added", output_index=block.index, item=item)
        if block.kind == "call":
            return added
        return added + self._part_event("added", block, "")

    def _grows(self, block: Block, text: str, logprobs: list[Any]) -> bytes:
        if block.kind == "text":
            return self._text_event(block, "output_text.delta", delta=text, logprobs=logprobs)
        if self._items.is_custom(block):
            reader = self._inputs.setdefault(block.index, InputReader())
            return self._input_delta(block, reader.feed(text))
        if block.kind == "call":
            return self._event(
                "response.function_call_arguments.delta", **self._place(block), delta=text
            )
        return self._text_event(block, f"{self._text_name(block)}.delta", delta=text)

    def _closes(self, block: Block, status: str) -> bytes:
        text = block.text
        if self._items.is_custom(block):
            done = self._input_done(block)
        elif block.kind == "call":
            done = self._event(
                "response.function_call_arguments.done",
                **self._place(block),
                name=self._items.name_of(block),
                arguments=text,
            )
        elif block.kind == "text":
            done = self._text_event(
                block, "output_text.done", text=text, logprobs=block.logprobs
            ) + self._part_event("done", block, text)
        else:
            name = "refusal" if block.kind == "refusal" else "text"
            done = self._text_event(
                block, f"{self._text_name(block)}.done", **{name: text}
            ) + self._part_event("done", block, text)
        item = self._items.item(block, status)
        return done + self._event("response.output_item.done", output_index=block.index, item=item)

    def _input_delta(self, block: Block, text: str) -> bytes:
        if not text:
            return b""
        return self._event(
            "response.custom_tool_call_input.delta", **self._place(block), delta=text
        )

    def _input_done(self, block: Block) -> bytes:
        rest = self._inputs.setdefault(block.index, InputReader()).end()
        return self._input_delta(block, rest) + self._event(
            "response.custom_tool_call_input.done",
            **self._place(block),
            input=input_of(block.text),
        )

    def _text_name(self, block: Block) -> str:
        if block.kind == "refusal":
            return "refusal"
        if self._items.summarises:
            return "reasoning_summary_text"
        return "reasoning" if self._is_open else "reasoning_text"

    def _part_event(self, what: str, block: Block, text: str) -> bytes:
        part = self._items.part(block, text)
        group = "reasoning_summary_part" if self._is_summary(block) else "content_part"
        return self._text_event(block, f"{group}.{what}", part=part)

    def _text_event(self, block: Block, name: str, /, **fields: Any) -> bytes:
        index = "summary_index" if self._is_summary(block) else "content_index"
        return self._event(f"response.{name}", **self._place(block), **{index: 0}, **fields)

    def _is_summary(self, block: Block) -> bool:
        return block.kind == "reasoning" and self._items.summarises

    def _place(self, block: Block) -> dict[str, Any]:
        return {"item_id": self._items.id_of(block), "output_index": block.index}

    def _event(self, name: str, /, **fields: Any) -> bytes:
        body = {"type": name, "sequence_number": self._sequence_number, **fields}
        self._sequence_number += 1
        return b"event: " + name.encode() + b"\ndata: " + dumps(body) + b"\n\n"
