"""The JSON of a request's body, with bounds on its size and depth and on what its texts hold."""

import json
from collections.abc import Mapping
from typing import Any, Final

from rest_framework.parsers import BaseParser

from management_api.problems import Problem

MOST_BYTES: Final = 256 * 1024
DEEPEST: Final = 20


class StrictJson(BaseParser):
    """Refuses what JSON itself allows and no field can hold: NUL characters, lone surrogates, the
    same name twice, numbers that are none."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise Problem(413, "body_too_large", f"A body has at most {MOST_BYTES} bytes.")
        try:
            told = json.loads(
                body.decode("utf-8"),
                object_pairs_hook=_once_each,
                parse_constant=_no_number,
            )
        except UnicodeDecodeError:
            raise _unreadable("it is not UTF-8") from None
        except RecursionError:
            raise _unreadable("it is nested too deep") from None
        except ValueError as error:
            raise _unreadable(str(error)[:120]) from None
        _check(told)
        if not isinstance(told, dict):
            raise _unreadable("it takes an object")
        return told


def _unreadable(why: str) -> Problem:
    return Problem(400, "unreadable_json", f"The body is no JSON that can be used: {why}.")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same name twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _check(told: Any) -> None:
    """Level by level, without recursion."""
    level, depth = [told], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _unreadable(f"it is nested deeper than {DEEPEST} levels")
        inner: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                for name in value:
                    _check_text(name)
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        level = inner


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _unreadable("a text has a NUL character in it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _unreadable("a text has half of a surrogate pair in it") from None
