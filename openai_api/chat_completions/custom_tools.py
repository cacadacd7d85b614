"""Custom tools, whose input is free text: a model is offered each as a function with one string.

The input is taken out of the arguments again, whole or while they arrive. Pure.
"""

import json
import re
from typing import Any, Final

import orjson

from openai_api.wire import nested_fields
from openai_api.wire.fields import missing, wrong_type

INPUT: Final = "input"
_OPENING: Final = re.compile(r'\s*\{\s*"input"\s*:\s*"')
# A name of a field that begins otherwise than the opening is told from one that may still come.
_LONGEST_OPENING: Final = 64
_LONGEST_UNFINISHED: Final = 11  # `\\ud83d\\ude0`
_SYNTAXES: Final = ("lark", "regex")


def check_format(tool: dict[str, Any], at: str) -> None:
    """Checks `format`, in the form of either dialect: a grammar's fields stand in an object of
    their own in chats, and beside the type in responses.
    """
    given = nested_fields.mapping(tool, at, "format")
    if given is None:
        return
    at = f"{at}.format"
    if nested_fields.kind(given, at, ("text", "grammar")) == "text":
        return
    grammar = given
    if "grammar" in given:
        at = f"{at}.grammar"
        grammar = given["grammar"]
        if not isinstance(grammar, dict):
            raise wrong_type(at, "an object", grammar)
    nested_fields.text(grammar, at, "definition")
    if nested_fields.choice(grammar, at, "syntax", _SYNTAXES) is None:
        raise missing(f"{at}.syntax")


def function_of(name: str, tool: dict[str, Any]) -> dict[str, Any]:
    """The function that stands for a custom tool; no upstream constrains a text by a grammar, so
    the model is told it.
    """
    description = tool.get("description") or ""
    wanted = "The tool's input as plain text."
    given = tool.get("format") or {}
    if given.get("type") == "grammar":
        grammar = given.get("grammar", given)
        wanted += f" It must match this {grammar['syntax']} grammar:\n{grammar['definition']}"
    return {
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": {INPUT: {"type": "string", "description": wanted}},
            "required": [INPUT],
        },
    }


def arguments_of(text: str) -> str:
    """The arguments of a call with this input."""
    return orjson.dumps({INPUT: text.encode("utf-8", "replace").decode()}).decode()


def input_of(arguments: str) -> str:
    """The input in a call's arguments; all of them where the model wrote another field."""
    reader = InputReader()
    return reader.feed(arguments) + reader.end()


class InputReader:
    """Arguments in, in pieces; the input's text out, as it comes."""

    __slots__ = ("_all", "_begun", "_closed", "_rest")

    def __init__(self) -> None:
        self._all: list[str] = []
        self._begun = False
        self._closed = False
        self._rest = ""  # the opening, or an escape, of which more has to come

    def feed(self, piece: str) -> str:
        """The text that is certain after this piece."""
        if self._closed:
            return ""
        if not self._begun:
            self._all.append(piece)
            if len(self._all) > _LONGEST_OPENING:
                return ""
            opening = _OPENING.match("".join(self._all))
            if opening is None:
                return ""
            self._begun = True
            piece = "".join(self._all)[opening.end() :]
            self._all = []
        text, self._rest = self._rest + piece, ""
        end = _closing_quote(text)
        if end >= 0:
            self._closed = True
            return _decoded(text[:end])
        certain = _without_half_escape(text)
        self._rest = text[certain:]
        return _decoded(text[:certain])

    def end(self) -> str:
        """The rest, once no piece will follow."""
        if self._begun:
            rest, self._rest = self._rest, ""
            return "" if self._closed or rest.startswith("\\") else _decoded(rest)
        arguments = "".join(self._all)
        try:
            parsed = json.loads(arguments)
        except (ValueError, RecursionError):
            return arguments
        if isinstance(parsed, str):
            return parsed
        if isinstance(parsed, dict):
            named = parsed.get(INPUT)
            texts = [named] if named is not None else list(parsed.values())
            if len(texts) == 1 and isinstance(texts[0], str):
                return texts[0]
            return "" if not parsed else arguments
        return arguments


def _closing_quote(text: str) -> int:
    at = text.find('"')
    while at >= 0:
        before = at
        while before > 0 and text[before - 1] == "\\":
            before -= 1
        if (at - before) % 2 == 0:
            return at
        at = text.find('"', at + 1)
    return -1


# At the end of a text: the first half of a surrogate pair, or an escape that goes on.
_UNFINISHED: Final = re.compile(
    r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z"
)


def _without_half_escape(text: str) -> int:
    """How much of the text can be decoded: not a backslash without the rest of its escape, and not
    the first half of a surrogate pair.
    """
    tail = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_UNFINISHED))
    if tail is None or not tail.group():
        return len(text)
    start = tail.start()
    before = start
    while before > 0 and text[before - 1] == "\\":
        before -= 1
    # An odd number of backslashes before belongs together with the first one here.
    return start + 1 if (start - before) % 2 else start


def _decoded(text: str) -> str:
    try:
        decoded: str = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return decoded
