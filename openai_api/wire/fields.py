"""Checks of request fields, each with the sentence that tells the caller what is wrong. Pure.

A field that is null counts as not given. Raises BadRequest naming the `param`.
"""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from openai_api.errors import BadRequest
from openai_api.wire import bounds
from openai_api.wire.bounds import check_nesting, check_values

SHOWN_CHARACTERS = 60
# Above it not every language holds integers exactly, and upstream's parsers refuse far larger ones.
LARGEST_NUMBER = 2**53


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; raises BadRequest where it is none, TooManyValues."""
    check_values(body)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "The request body is empty" if not body.strip() else f"The body is not JSON: {error}"
        raise BadRequest(f"{what}. Send a JSON object.", code="invalid_json") from None
    if not isinstance(parsed, dict):
        raise BadRequest(
            f"The request body must be a JSON object, not {kind_of(parsed)}.", code="invalid_json"
        )
    check_nesting(body, parsed)
    return parsed


def kind_of(value: Any) -> str:
    """The type of a JSON value with its article, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def asked_for(body: Mapping[str, Any], names: Collection[str]) -> tuple[str, ...]:
    """Those of the fields that ask for something: not false, null or an empty list."""
    return tuple(name for name in names if body.get(name) not in (None, False, []))


def wrong_type(param: str, wanted: str, value: Any) -> BadRequest:
    return BadRequest(
        f"Invalid type for '{param}': expected {wanted}, but got {kind_of(value)} instead.",
        param=param,
        code="invalid_type",
    )


def wrong_value(param: str, takes: str, value: Any) -> BadRequest:
    return BadRequest(
        f"Invalid value for '{param}': it takes {takes}, but got {shown(value)}.",
        param=param,
        code="invalid_value",
    )


def shown(value: Any) -> str:
    """A value as messages show it."""
    return bounds.shown(value, SHOWN_CHARACTERS)


def missing(param: str) -> BadRequest:
    return BadRequest(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def text(body: Mapping[str, Any], param: str, *, required: bool = False) -> str | None:
    value = body.get(param)
    if value is None:
        if required:
            raise missing(param)
        return None
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    if required and not value.strip():
        raise wrong_value(param, "a string that is not empty", value)
    return value


def choice(body: Mapping[str, Any], param: str, choices: Collection[str]) -> str | None:
    value = text(body, param)
    if value is not None and value not in choices:
        raise wrong_value(param, one_of(choices), value)
    return value


def one_of(choices: Collection[str]) -> str:
    """The choices of a field, for messages."""
    return "one of " + ", ".join(f"'{choice}'" for choice in choices)


def whole_number(
    body: Mapping[str, Any], param: str, low: int | None = None, high: int | None = None
) -> int | None:
    value = body.get(param)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(param, "an integer", value)
    if high is None and value > LARGEST_NUMBER:
        high = LARGEST_NUMBER
    _in_range(param, value, low, high, "a whole number")
    return value


def number(
    body: Mapping[str, Any], param: str, low: float | None = None, high: float | None = None
) -> float | None:
    value = body.get(param)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(param, "a number", value)
    _in_range(param, value, low, high, "a number")
    return value


def _in_range(param: str, value: float, low: float | None, high: float | None, noun: str) -> None:
    if (low is not None and value < low) or (high is not None and value > high):
        if high is None:
            takes = f"{noun} of at least {low}"
        elif low is None:
            takes = f"{noun} of at most {high}"
        else:
            takes = f"{noun} from {low} to {high}"
        raise wrong_value(param, takes, value)


def boolean(body: Mapping[str, Any], param: str) -> bool | None:
    value = body.get(param)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(param, "a boolean", value)
    return value


def mapping(body: Mapping[str, Any], param: str) -> dict[str, Any] | None:
    value = body.get(param)
    if value is not None and not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    return value


def sequence(body: Mapping[str, Any], param: str) -> list[Any] | None:
    value = body.get(param)
    if value is not None and not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    return value


def filled_sequence(body: Mapping[str, Any], param: str, noun: str) -> list[Any]:
    """A list that must be given, with at least one `noun` in it."""
    value = sequence(body, param)
    if value is None:
        raise missing(param)
    if not value:
        raise empty_array(param, noun)
    return value


def texts(
    body: Mapping[str, Any], param: str, *, most: int, of_tokens: str = ""
) -> tuple[str, ...]:
    """A field that takes a text or a list of texts; `of_tokens` is added to the error on tokens."""
    value = body.get(param)
    if value is None:
        raise missing(param)
    if isinstance(value, str):
        return (not_empty(value, param),)
    if not isinstance(value, list):
        raise wrong_type(param, "a string or an array of strings", value)
    if not value:
        raise empty_array(param, "string")
    if any(isinstance(item, int | list) and not isinstance(item, bool) for item in value):
        raise BadRequest(
            f"'{param}' holds tokens, but the models here have tokenizers of their own: send the "
            f"text itself.{of_tokens}",
            param=param,
            code="tokens_not_supported",
        )
    if len(value) > most:
        raise wrong_value(param, f"at most {most} strings", len(value))
    for position, item in enumerate(value):
        at = f"{param}[{position}]"
        if not isinstance(item, str):
            raise wrong_type(at, "a string", item)
        not_empty(item, at)
    return tuple(value)


def strings(values: list[Any], param: str, *, most: int) -> tuple[str, ...]:
    """The strings of a list of at most `most` strings, without the empty ones."""
    for position, item in enumerate(values):
        if not isinstance(item, str):
            raise wrong_type(f"{param}[{position}]", "a string", item)
    if len(values) > most:
        raise wrong_value(param, f"at most {most} strings", len(values))
    return tuple(item for item in values if item)


def not_empty(value: str, param: str) -> str:
    if not value:
        raise BadRequest(f"Invalid '{param}': it is empty.", param=param, code="empty_string")
    return value


def empty_array(param: str, noun: str) -> BadRequest:
    return BadRequest(
        f"Invalid '{param}': empty array. Expected an array with at least one {noun}.",
        param=param,
        code="empty_array",
    )
