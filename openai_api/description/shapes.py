"""JSON Schemas in few words. Pure."""

from collections.abc import Iterable
from typing import Any

from openai_api.wire.declared import BOOLEAN_OR_NULL, Schema, or_null, reference

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
TEXT_OR_NULL = or_null(TEXT)
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL = or_null(NUMBER)
POSITIVE: Schema = {"type": "number", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
ANYTHING: Schema = {}

__all__ = [
    "ANYTHING",
    "BOOLEAN",
    "BOOLEAN_OR_NULL",
    "COUNT",
    "NAME",
    "NUMBER",
    "NUMBER_OR_NULL",
    "OBJECT",
    "POSITIVE",
    "TEXT",
    "TEXT_OR_NULL",
    "Schema",
    "either",
    "listed",
    "one_of",
    "optional",
    "or_null",
    "reference",
    "thing",
    "variant",
]


def thing(**fields: Schema) -> Schema:
    """An object that has all these fields, and perhaps others."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def optional(shape: Schema, **fields: Schema) -> Schema:
    """The object `shape` with fields that it may have."""
    return {**shape, "properties": {**shape.get("properties", {}), **fields}}


def variant(kind: str, **fields: Schema) -> Schema:
    """An object of this `type`."""
    return thing(type={"const": kind}, **fields)


def listed(items: Schema, *, most: int | None = None, least: int | None = None) -> Schema:
    shape: Schema = {"type": "array", "items": items}
    if most is not None:
        shape["maxItems"] = most
    if least is not None:
        shape["minItems"] = least
    return shape


def either(*shapes: Schema) -> Schema:
    return {"anyOf": list(shapes)}


def one_of(choices: Iterable[Any]) -> Schema:
    return {"enum": list(choices)}
