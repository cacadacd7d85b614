"""What is wrong with a request's body or with a field of it, in a sentence that names the `param`.
Pure.

`declared.py` beside it has the checks.
"""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from openai_api.errors import BadRequest
from openai_api.wire import bounds
from openai_api.wire.bounds import check_length, check_parsed

SHOWN_CHARACTERS = 60
# Above it not every language holds integers exactly, and upstream's parsers refuse far larger ones.
LARGEST_NUMBER = 2**53


def json_object(body: bytes, *, values_beside: int = 0) -> dict[str, Any]:
    """The body as a JSON object; raises BadRequest where it is none, TooManyValues.

    `values_beside`: how many are known that count with its own.
    """
    check_length(body, values_beside)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "The request body is empty" if not body.strip() else f"The body is not JSON: {error}"
        raise BadRequest(f"{what}. Send a JSON object.", code="invalid_json") from None
    if not isinstance(parsed, dict):
        raise BadRequest(
            f"The request body must be a JSON object, not {kind_of(parsed)}.", code="invalid_json"
        )
    check_parsed(body, parsed, values_beside)
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


def one_of(choices: Collection[str]) -> str:
    """The choices of a field, for messages."""
    return "one of " + ", ".join(f"'{choice}'" for choice in choices)


def refuse_misplaced(body: Mapping[str, Any], instead: Mapping[str, str]) -> None:
    """Refuses what another API calls by a name that this one does not have, and which would change
    the answer. `instead` has the field, or the words, to use; where that field is given as well, it
    counts.
    """
    for name, field in instead.items():
        if body.get(name) and body.get(field.partition(".")[0]) is None:
            use = field if " " in field else f"'{field}'"
            raise BadRequest(
                f"Unsupported parameter: '{name}' is no field of this API. Use {use}.",
                param=name,
                code="unsupported_parameter",
            )


def tokens_not_supported(param: str, more: str) -> BadRequest:
    return BadRequest(
        f"'{param}' holds tokens, but the models here have tokenizers of their own: send the "
        f"text itself.{more}",
        param=param,
        code="tokens_not_supported",
    )


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
