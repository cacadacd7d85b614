"""Calls of custom tools in chat's own form, made of those of the functions that stand for them.
Pure.
"""

from collections.abc import Collection
from typing import Any

from openai_api.chat_completions.custom_tools import InputReader, input_of

Part = dict[str, Any]


class CustomCalls:
    """Pieces of tool calls in, the same with the calls of custom tools in their own form out."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._readers: dict[tuple[int, int], InputReader] = {}

    def told(self, choice: int, parts: list[Part]) -> list[Part]:
        """The pieces to send; none for one that holds no whole character of an input."""
        return [told for part in parts if (told := self._told(choice, part)) is not None]

    def _told(self, choice: int, part: Part) -> Part | None:
        function, at = part["function"], (choice, part["index"])
        if function.get("name") in self._names:
            reader = self._readers[at] = InputReader()
            called = {"name": function["name"], "input": reader.feed(function["arguments"])}
            return {"index": part["index"], "id": part["id"], "type": "custom", "custom": called}
        known = self._readers.get(at)
        if known is None:
            return part
        text = known.feed(function["arguments"])
        return {"index": part["index"], "custom": {"input": text}} if text else None

    def rest(self) -> dict[int, list[Part]]:
        """What is left of each choice's calls, once no piece will follow."""
        left: dict[int, list[Part]] = {}
        for (choice, index), reader in self._readers.items():
            text = reader.end()
            if text:
                left.setdefault(choice, []).append({"index": index, "custom": {"input": text}})
        return left


def whole_call(call: Part, custom: Collection[str]) -> Part:
    """A complete call in the form that a message has it."""
    function = call["function"]
    if function["name"] not in custom:
        return call
    called = {"name": function["name"], "input": input_of(function["arguments"])}
    return {"id": call["id"], "type": "custom", "custom": called}
