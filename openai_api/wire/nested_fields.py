"""Checks of fields inside of other fields, named by the whole path: `input[2].call_id`. Pure.

`at` is the path of the object that holds the field. Raises BadRequest naming the `param`.
"""

from collections.abc import Mapping
from typing import Any

from openai_api.errors import BadRequest
from openai_api.wire.fields import missing, one_of, wrong_type, wrong_value


def kind(value: Any, at: str, kinds: tuple[str, ...]) -> str:
    """The `type` of an object that has to have one of these."""
    if not isinstance(value, dict):
        raise wrong_type(at, "an object", value)
    named = value.get("type")
    if named not in kinds:
        raise wrong_value(f"{at}.type", one_of(kinds), named)
    return str(named)


def text(holder: Mapping[str, Any], at: str, name: str, *, may_be_empty: bool = False) -> str:
    """A text that has to be there."""
    value = holder.get(name)
    if value is None:
        raise missing(f"{at}.{name}")
    if not isinstance(value, str):
        raise wrong_type(f"{at}.{name}", "a string", value)
    if not value and not may_be_empty:
        raise wrong_value(f"{at}.{name}", "a string that is not empty", value)
    return value


def role(holder: Mapping[str, Any], at: str, roles: tuple[str, ...], *, takes: str = "") -> str:
    """The `role` of a message; `takes` is what the error says that it may be."""
    named = holder.get("role")
    if named is None:
        raise missing(f"{at}.role")
    if named not in roles:
        raise wrong_value(f"{at}.role", takes or one_of(roles), named)
    return str(named)


def sequence(holder: Mapping[str, Any], at: str, name: str) -> list[Any]:
    """A list, empty where it is not given."""
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(f"{at}.{name}", "an array", value)
    return value


def choice(holder: Mapping[str, Any], at: str, name: str, choices: tuple[str, ...]) -> str | None:
    """One of several words, if it is given."""
    value = holder.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(f"{at}.{name}", "a string", value)
    if value not in choices:
        raise wrong_value(f"{at}.{name}", one_of(choices), value)
    return value


def boolean(holder: Mapping[str, Any], at: str, name: str) -> bool | None:
    """A boolean, if it is given."""
    value = holder.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(f"{at}.{name}", "a boolean", value)
    return value


def mapping(holder: Mapping[str, Any], at: str, name: str) -> dict[str, Any] | None:
    """An object, if it is given."""
    value = holder.get(name)
    if value is not None and not isinstance(value, dict):
        raise wrong_type(f"{at}.{name}", "an object", value)
    return value


def schema_of_function(holder: Mapping[str, Any], at: str) -> dict[str, Any] | None:
    """The `parameters` of a function, if they are given. Under Anthropic's and MCP's names they are
    refused: without them the model would call the tool with nothing.
    """
    schema = mapping(holder, at, "parameters")
    for name in ("input_schema", "inputSchema"):
        if schema is None and holder.get(name):
            raise BadRequest(
                f"Unsupported parameter: '{at}.{name}' is no field of this API. Use 'parameters'.",
                param=f"{at}.{name}",
                code="unsupported_parameter",
            )
    return schema
