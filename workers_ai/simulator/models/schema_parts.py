"""The pieces that chat models' schemas are put together from."""

from typing import Any

Schema = dict[str, Any]


def text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def number(description: str, low: float, high: float, **more: Any) -> Schema:
    return {
        "type": "number",
        "description": description,
        "minimum": low,
        "maximum": high,
        **more,
    }


def whole(description: str, **more: Any) -> Schema:
    return {"type": "integer", "description": description, **more}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
