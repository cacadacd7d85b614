"""The normaliser's deltas as blocks in sequence: a thought, a text, a tool call. Pure.

Chat's chunks may interleave pieces of several tool calls. The other dialects finish one block
before the next begins, so a block waits until the one before it is complete.
"""

import json
from typing import Any, Literal, NamedTuple

from openai_api.chat_completions.normalise import Delta

Kind = Literal["reasoning", "text", "refusal", "call"]

_KINDS: dict[str, Kind] = {
    "reasoning_content": "reasoning",
    "content": "text",
    "refusal": "refusal",
}


class Block:
    """One block; `text` is its text, or the arguments of a tool call."""

    __slots__ = ("_parts", "call_id", "index", "kind", "logprobs", "name", "opened")

    def __init__(self, kind: Kind, index: int, call_id: str = "", name: str = "") -> None:
        self.kind = kind
        self.index = index
        self.call_id = call_id
        self.name = name
        self.logprobs: list[Any] = []
        self.opened = False
        self._parts: list[str] = []

    def add(self, text: str, logprobs: list[Any]) -> None:
        self._parts.append(text)
        self.logprobs += logprobs

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def is_complete(self) -> bool:
        """Whether the block may be closed: a tool call only when its arguments are valid JSON."""
        return self.kind != "call" or _is_json(self.text)


class Step(NamedTuple):
    """What happens next to a block: it opens, grows by `text`, or closes."""

    what: Literal["opens", "grows", "closes"]
    block: Block
    text: str = ""
    logprobs: list[Any] = []


class Blocks:
    """Deltas of one choice in, steps out; `all` has the blocks in their order."""

    __slots__ = ("_calls", "_choice", "_live", "all")

    def __init__(self) -> None:
        self.all: list[Block] = []
        self._live = 0  # the block that is being sent; those after it wait
        self._calls: dict[int, Block] = {}
        self._choice: int | None = None

    def take(self, delta: Delta) -> list[Step]:
        choice, parts, told = delta
        if self._choice is None:
            self._choice = choice
        elif choice != self._choice:
            return []  # these dialects have one answer only
        steps: list[Step] = []
        logprobs = told["content"] if told else []
        for name, value in parts.items():
            if name == "tool_calls":
                for part in value:
                    self._add(self._call(part, steps), part["function"]["arguments"], [], steps)
            else:
                self._add(self._text_block(_KINDS[name], steps), value, logprobs, steps)
        return steps

    def end(self) -> list[Step]:
        """The remaining steps, once no delta will follow."""
        steps: list[Step] = []
        while self._live < len(self.all):
            self._tell(self.all[self._live], steps)
            steps.append(Step("closes", self.all[self._live]))
            self._live += 1
        return steps

    @property
    def broke_off(self) -> bool:
        """Whether the last block is a call that was cut in the middle of its arguments."""
        return bool(self.all) and not self.all[-1].is_complete

    def _call(self, part: dict[str, Any], steps: list[Step]) -> Block:
        call = self._calls.get(part["index"])
        if call is None:
            function = part["function"]
            call = Block("call", len(self.all), part["id"], function["name"])
            self._calls[part["index"]] = call
            self._append(call, steps)
        return call

    def _text_block(self, kind: Kind, steps: list[Step]) -> Block:
        if not self.all or self.all[-1].kind != kind:
            self._append(Block(kind, len(self.all)), steps)
        return self.all[-1]

    def _append(self, block: Block, steps: list[Step]) -> None:
        self.all.append(block)
        self._advance(steps)

    def _add(self, block: Block, text: str, logprobs: list[Any], steps: list[Step]) -> None:
        if block is self.all[self._live] and block.opened:
            block.add(text, logprobs)
            if text:
                steps.append(Step("grows", block, text, logprobs))
        else:
            block.add(text, logprobs)
        self._advance(steps)

    def _advance(self, steps: list[Step]) -> None:
        """Closes blocks that are complete and followed by another, and sends what waited."""
        while self._live < len(self.all) - 1 and self.all[self._live].is_complete:
            self._tell(self.all[self._live], steps)
            steps.append(Step("closes", self.all[self._live]))
            self._live += 1
        self._tell(self.all[self._live], steps)

    def _tell(self, block: Block, steps: list[Step]) -> None:
        if block.opened:
            return
        block.opened = True
        steps.append(Step("opens", block))
        if block.text:
            steps.append(Step("grows", block, block.text, block.logprobs))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
