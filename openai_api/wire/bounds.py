"""How much a request may hold, whatever its bytes: values, levels, entries of a list. Pure.

A JSON value of two bytes becomes an object of a hundred, and each costs a check: without these
bounds a body within MAX_BODY_BYTES would take gigabytes of memory and seconds of the event loop.
"""

import gc
from collections.abc import Sized
from itertools import islice
from typing import Any, Final

from openai_api.errors import BadRequest, TooManyValues

# A long session of an agent with a hundred tools holds some 30,000.
MOST_VALUES: Final = 100_000
# orjson writes 254 levels; what is added around a request's own levels stays below that.
DEEPEST_NESTING: Final = 200
# Of messages, or of items that become messages; agents' sessions have hundreds.
MOST_MESSAGES: Final = 5_000
# Of the content of one message.
MOST_PARTS: Final = 2_000
MOST_TOOLS: Final = 1_000
# Of all fields that no model of today has, names and texts in them: upstream may know what the
# gateway does not, but nothing large.
MOST_UNKNOWN_CHARACTERS: Final = 16_384

# Every value but the first of its list or object has a comma before it.
_SEPARATORS: Final = b",[{"
_OBJECT, _ARRAY = b"{["
# Fewer of one kind are found by a search that passes pictures at the speed of memory; more are
# counted byte by byte, as all are in a body without much of a picture.
_FEW: Final = 1_000
_COUNTED_BYTES: Final = 1024 * 1024
# Shorter ones are counted once they are parsed, which costs nothing beside their levels: the
# smallest values in so much take 20 MB until they are refused.
_PARSED_FIRST_BYTES: Final = 512 * 1024
# Bytes of a value in an object, with its name and a comma; but for one of each object, which may
# have no name.
_LEAST_IN_AN_OBJECT: Final = 6
_DEEPEST_SHOWN: Final = 4


def check_length(body: bytes, values_beside: int = 0) -> None:
    """Refuses JSON that would take much to parse and has more than MOST_VALUES values, with those
    that are known beside it; raises TooManyValues."""
    if len(body) <= _PARSED_FIRST_BYTES:
        return
    most = MOST_VALUES - values_beside
    if len(body) > _COUNTED_BYTES and not any(has_more(body, s, _FEW) for s in _SEPARATORS):
        return
    # What is far beyond the bound shows it early.
    for end in (_COUNTED_BYTES, 1 << 23, len(body)):
        part = body[:end]
        if separators(part) >= most and _has_too_many(part, most):
            raise TooManyValues(MOST_VALUES)
        if end >= len(body):
            return


def _has_too_many(body: bytes, most: int) -> bool:
    """The same without the texts, in which separators mean nothing. At the speed of C."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A value is at most a name and a text, which have four quotation marks.
    if body.count(b'"') > 4 * most:
        return True
    return separators(b"".join(body.split(b'"')[::2])) >= most


def separators(body: bytes) -> int:
    """As many as there are values in JSON, and those in its texts."""
    return len(body) - len(body.translate(None, _SEPARATORS))


def check_parsed(body: bytes, parsed: dict[str, Any], values_beside: int = 0) -> None:
    """Refuses JSON of more than MOST_VALUES values, with those that are known beside it, or deeper
    than DEEPEST_NESTING; raises TooManyValues, BadRequest."""
    # Each value takes two bytes at least, and half of too many levels at least are of one kind.
    if (
        len(body) <= 2 * (MOST_VALUES - values_beside)
        and not has_more(body, _OBJECT, DEEPEST_NESTING // 2)
        and not has_more(body, _ARRAY, DEEPEST_NESTING // 2)
    ):
        return
    values, levels = _extent(parsed)
    most = MOST_VALUES - values_beside
    at_most = 2 * values + len(body) // _LEAST_IN_AN_OBJECT
    if values > most or (at_most > most and _has_too_many(body, most)):
        raise TooManyValues(MOST_VALUES)
    if levels >= DEEPEST_NESTING and _nesting(parsed) > DEEPEST_NESTING:
        raise BadRequest(
            f"The request body is nested deeper than {DEEPEST_NESTING} levels.", code="invalid_json"
        )


def has_more(body: bytes, byte: int, than: int) -> bool:
    """Whether `byte` is in `body` more often. Each one is searched, up to that number: counting
    them all takes as long as parsing, where nearly all of a body is a picture.
    """
    at = body.find(byte)
    for _ in range(than):
        if at < 0:
            return False
        at = body.find(byte, at + 1)
    return at >= 0


def _extent(value: dict[str, Any]) -> tuple[int, int]:
    """(values in it but for some of those in objects of texts, numbers and the like alone, levels
    as `_nesting` counts them or one fewer), at the speed of C: the garbage collector looks at
    everything that holds something but, at its own choice, at such objects.
    """
    values = levels = 0
    level: list[Any] = [value]
    while level:
        levels += 1
        # Of objects the values alone, as names are texts.
        inner = gc.get_referents(*level)
        values += len(inner)
        level = list(filter(gc.is_tracked, inner))
    return values, levels


def _nesting(value: dict[str, Any]) -> int:
    """Levels of objects and arrays, counted without recursion, so that no depth is too deep."""
    levels = 0
    level: list[Any] = [value]
    while level:
        levels += 1
        # What is parsed has these very types, and `isinstance` takes three times as long.
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
    return levels


def check_number(values: Sized, param: str, most: int) -> None:
    """Refuses a list of more than `most` entries; raises BadRequest in OpenAI's words."""
    if len(values) > most:
        raise BadRequest(
            f"Invalid '{param[:200]}': array too long. Expected an array with maximum length "
            f"{most}, but got an array with length {len(values)} instead.",
            param=param,
            code="array_above_max_length",
        )


def check_unknown(unknown: dict[str, Any]) -> None:
    """Refuses fields that the gateway does not know and that hold much; raises BadRequest."""
    for name, value in unknown.items():
        if _is_large(name) or _is_large(value):
            raise BadRequest(
                f"Unknown parameter: '{name[:60]}'. It is passed on to the model when it is small, "
                f"but holds more than {MOST_UNKNOWN_CHARACTERS} characters.",
                param=name,
                code="unknown_parameter",
            )


def _is_large(value: Any) -> bool:
    """Whether a value takes more than MOST_UNKNOWN_CHARACTERS, of which no more are looked at."""
    left = MOST_UNKNOWN_CHARACTERS
    found: list[Any] = [value]
    while found:
        one = found.pop()
        left -= len(one) + 1 if isinstance(one, str | dict | list) else 2
        if left < 0:
            return True
        if isinstance(one, dict):
            found += one
            found += one.values()
        elif isinstance(one, list):
            found += one
    return False


def shown(value: Any, characters: int) -> str:
    """A JSON value as Python writes it, cut. Only as much of it is written as is shown."""
    text = repr(_cut(value, characters, _DEEPEST_SHOWN))
    return text if len(text) <= characters else text[:characters] + "…"


def _cut(value: Any, characters: int, levels: int) -> Any:
    """Enough of a value to fill so many characters."""
    if isinstance(value, str):
        return value[: characters + 1]
    if not isinstance(value, list | dict):
        return value
    if not levels:
        return ...
    # An entry takes three characters at least, a pair six.
    if isinstance(value, list):
        most = characters // 3 + 1
        return [_cut(one, characters, levels - 1) for one in value[:most]]
    pairs = islice(value.items(), characters // 6 + 1)
    return {name[: characters + 1]: _cut(one, characters, levels - 1) for name, one in pairs}
