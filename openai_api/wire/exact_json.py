"""JSON whose numbers keep their original text, so that `0.50` does not become `0.5`. Pure.

Upstream parses some tokens as JSON scalars and sends numbers where text belongs; arguments of tools
come as objects. Both must reach the client as the model wrote them.
"""

import json
from collections.abc import Callable
from typing import Any

# Gives the parsed JSON with exact numbers, or a part of it, when it is needed: nearly never.
Exact = Callable[[], Any]

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


class NumberText(str):
    """The original text of a JSON number."""

    __slots__ = ()


def parse_exact(raw: bytes | str) -> Any:
    """Like json.loads, with each number as NumberText, and as lenient as `lenient`. Raises
    ValueError."""
    return lenient(raw, parse_int=NumberText, parse_float=NumberText, parse_constant=NumberText)


def lenient(raw: bytes | str, **hooks: Any) -> Any:
    """JSON, also with line breaks and tabs inside its texts, or with bytes that are no UTF-8.
    Raises ValueError."""
    try:
        return json.loads(raw, strict=False, **hooks)
    except UnicodeDecodeError:
        assert isinstance(raw, bytes)
        return json.loads(raw.decode("utf-8", "replace"), strict=False, **hooks)


def dump_exact(value: Any) -> str:
    """JSON text of what `parse_exact` made, or of plain values."""
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{_ENCODE(str(name))}: {dump_exact(v)}" for name, v in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump_exact, value)) + "]"
    return _ENCODE(value)


def as_text(value: Any) -> str:
    """A value of `parse_exact` as the text that a client should see; null is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    return dump_exact(value)


def known(tree: Any) -> Exact:
    """For JSON that is already parsed."""
    return lambda: tree


def within(exact: Exact, *path: str | int) -> Exact:
    """The part of `exact` at this path."""

    def part() -> Any:
        tree = exact()
        for step in path:
            tree = tree[step]
        return tree

    return part
