"""Checks request bodies against a model's schema, with upstream's error texts. Pure.

Not a JSON Schema library: upstream's schemas are malformed in places, and its error texts are what
clients of it know.
"""

import re
from typing import Any

from workers_ai.simulator.replies import BadInput


def require_valid(schema: dict[str, Any], body: Any) -> None:
    """Raises `BadInput` (5006) unless `body` fits the input schema."""
    found = problems(schema.get("input") or {}, body, "")
    if found:
        raise BadInput(", ".join(found))


def byte_values(values: Any, path: str) -> bytes:
    """The bytes of a file that came as a list of numbers."""
    if not isinstance(values, list) or not all(
        isinstance(value, int | float) and 0 <= value <= 255 for value in values
    ):
        raise BadInput(f"'{path}' must be a list of byte values")
    return bytes(int(value) for value in values)


def problems(schema: Any, value: Any, path: str) -> list[str]:
    """What is wrong with `value` at `path`; empty when nothing is."""
    if not isinstance(schema, dict):
        return []
    wrong_type = _type_problem(schema, value, path)
    if wrong_type:
        return [wrong_type]
    found = _scalar_problems(schema, value, path)
    if isinstance(value, dict):
        found += _object_problems(schema, value, path)
    if isinstance(value, list):
        found += _array_problems(schema, value, path)
    for keyword in ("oneOf", "anyOf"):
        if keyword in schema:
            found += _branch_problems(keyword, schema[keyword], value, path)
    return found


def _type_problem(schema: dict[str, Any], value: Any, path: str) -> str | None:
    wanted = schema.get("type")
    if not isinstance(wanted, str):
        return None
    got = type_name(value)
    if got == wanted or (got == "integer" and wanted == "number"):
        return None
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        return None
    return f"Type mismatch of '{path or '/'}', '{got}' not in '{wanted}'"


def type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


def _scalar_problems(schema: dict[str, Any], value: Any, path: str) -> list[str]:
    found = []
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            found.append(f"Length of '{path}' must be >= {schema['minLength']}")
        if len(value) > schema.get("maxLength", len(value)):
            found.append(f"Length of '{path}' must be <= {schema['maxLength']}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"'{path}' must match pattern '{schema['pattern']}'")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            found.append(f"'{path}' must be >= {schema['minimum']}")
        if value > schema.get("maximum", value):
            found.append(f"'{path}' must be <= {schema['maximum']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"'{path}' must be one of '{','.join(map(str, schema['enum']))}'")
    return found


def _object_problems(schema: dict[str, Any], value: dict[str, Any], path: str) -> list[str]:
    found = []
    required = schema.get("required")
    if isinstance(required, list) and any(name not in value for name in required):
        found.append(f"required properties at '{path or '/'}' are '{','.join(required)}'")
    known = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for name, item in value.items():
        # One published schema has a list among its properties; it says nothing about values.
        if isinstance(known.get(name), dict):
            found += problems(known[name], item, f"{path}/{name}")
        elif others is False and name not in known:
            found.append(f"additional property '{name}' at '{path or '/'}' is not allowed")
        elif isinstance(others, dict):
            found += problems(others, item, f"{path}/{name}")
    return found


def _array_problems(schema: dict[str, Any], value: list[Any], path: str) -> list[str]:
    found = []
    if len(value) < schema.get("minItems", 0):
        found.append(f"Length of '{path}' must be >= {schema['minItems']}")
    if len(value) > schema.get("maxItems", len(value)):
        found.append(f"Length of '{path}' must be <= {schema['maxItems']}")
    items = schema.get("items")
    # Of a body of a million byte values only the first ones are checked.
    for index, item in enumerate(value[:2048] if items else []):
        found += problems(items, item, f"{path}/{index}")
    return found


def _branch_problems(keyword: str, branches: list[Any], value: Any, path: str) -> list[str]:
    found = []
    for branch in branches:
        if _is_unasked_batch(branch, value):
            continue
        wrong = problems(branch, value, path)
        if not wrong:
            return []
        found += wrong
    return [f"{keyword} at '{path or '/'}' not met, 0 matches: {', '.join(found)}"]


def _is_unasked_batch(branch: Any, value: Any) -> bool:
    """The batch branch requires nothing, so every wrong body would be valid."""
    return (
        isinstance(branch, dict)
        and set(branch.get("properties") or {}) == {"requests"}
        and not (isinstance(value, dict) and "requests" in value)
    )
