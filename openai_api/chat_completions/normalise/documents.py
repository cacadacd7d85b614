"""The JSON that upstream sends: whole bodies, events, and several events in one. Pure.

Numbers keep their text where that matters: see `openai_api/wire/exact_json.py`.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from openai_api.wire.exact_json import Exact, NumberText, lenient, parse_exact
from workers_ai.errors import UnusableAnswer


def loads(content: bytes) -> Any:
    """A whole body, also one that orjson refuses: with lone surrogates, NaN, line breaks in texts,
    or bytes that are no UTF-8."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return lenient(content)
        except (ValueError, RecursionError):
            raise UnusableAnswer("Workers AI answered with something that is not JSON") from None


def lazily_exact(data: bytes) -> Exact:
    """The event with its numbers as text, parsed only if it is asked for, and once."""
    tree: list[Any] = []

    def exact() -> Any:
        if not tree:
            tree.append(parse_exact(data))
        return tree[0]

    return exact


_PLAIN = json.JSONDecoder(strict=False)
_EXACT = json.JSONDecoder(
    parse_int=NumberText, parse_float=NumberText, parse_constant=NumberText, strict=False
)


def documents(text: str) -> Iterator[tuple[Any, Any]]:
    """The JSON documents in the data of one event, each also with numbers as text; garbage is
    skipped.

    Several events that upstream put into one look like `{…}data: {…}`, or stand one on each line.
    """
    position = 0
    while position < len(text):
        if text.startswith("data:", position):
            position += 5
        elif text[position].isspace():
            position += 1
        elif text.startswith("[DONE]", position):
            yield "[DONE]", None
            position += 6
        else:
            try:
                plain, end = _PLAIN.raw_decode(text, position)
                exact, _ = _EXACT.raw_decode(text, position)
                yield plain, exact
                position = end
            except (ValueError, RecursionError):
                following = text.find("data:", position + 1)
                if following < 0:
                    return
                position = following
