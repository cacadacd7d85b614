"""A JSON Schema as Workers AI publishes it, read as the list of forms an input may have.

Pure, and written for schemas that break the rules: lists where objects belong (flux-2-dev keeps its
`required` list inside `properties`), branches without a type, empty schemas, any nesting.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

Schema = Mapping[str, Any]

# Real schemas nest three or four levels of alternatives; the bounds keep a malicious one harmless.
DEEPEST = 12
MOST_SHAPES = 64
MOST_NODES = 50_000


@dataclass(frozen=True, slots=True)
class Shape:
    """One form an input may have, with the properties of all levels above it."""

    properties: Mapping[str, dict[str, Any]]
    required: frozenset[str]
    closed: bool
    is_binary: bool


def shapes(schema: object) -> list[Shape]:
    """Every alternative of the schema, flattened; none for an empty or unusable schema."""
    found = islice(_flatten(schema, {}, frozenset(), False, 0), MOST_SHAPES)
    return [shape for shape in found if shape.properties or shape.is_binary]


def alternatives(schema: object) -> list[dict[str, Any]]:
    """The schema itself and every branch of its oneOf, anyOf and allOf, at any level."""
    found: list[dict[str, Any]] = []
    waiting = [(schema, 0)]
    while waiting and len(found) < MOST_SHAPES:
        node, depth = waiting.pop(0)
        if not isinstance(node, dict) or depth > DEEPEST:
            continue
        found.append(node)
        for keyword in ("oneOf", "anyOf", "allOf"):
            waiting.extend((branch, depth + 1) for branch in _listed(node, keyword))
    return found


def mentions_property(schema: object, name: str) -> bool:
    """Whether a property of this name is declared anywhere under the schema."""
    waiting: list[object] = [schema]
    seen = 0
    while waiting and seen < MOST_NODES:
        node = waiting.pop()
        seen += 1
        if isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict) and isinstance(properties.get(name), dict):
                return True
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return False


def takes_array(schema: object) -> bool:
    return any(node.get("type") == "array" for node in alternatives(schema))


def _flatten(
    node: object,
    properties: dict[str, dict[str, Any]],
    required: frozenset[str],
    closed: bool,
    depth: int,
) -> Iterator[Shape]:
    if not isinstance(node, dict):
        return
    properties, required, closed = _with_own(node, properties, required, closed)
    for part in _listed(node, "allOf"):
        properties, required, closed = _with_own(part, properties, required, closed)
    branches = [*_listed(node, "oneOf"), *_listed(node, "anyOf")]
    if not branches or depth >= DEEPEST:
        yield Shape(
            properties=properties,
            required=required,
            closed=closed,
            is_binary=node.get("type") == "string" and node.get("format") == "binary",
        )
        return
    for branch in branches:
        yield from _flatten(branch, properties, required, closed, depth + 1)


def _with_own(
    node: dict[str, Any],
    properties: dict[str, dict[str, Any]],
    required: frozenset[str],
    closed: bool,
) -> tuple[dict[str, dict[str, Any]], frozenset[str], bool]:
    own = node.get("properties")
    if isinstance(own, dict):
        properties = properties | {
            name: value
            for name, value in own.items()
            if isinstance(name, str) and isinstance(value, dict)
        }
    names = node.get("required")
    if isinstance(names, list):
        required = required | {name for name in names if isinstance(name, str)}
    return properties, required, closed or node.get("additionalProperties") is False


def _listed(node: dict[str, Any], keyword: str) -> list[dict[str, Any]]:
    branches = node.get(keyword)
    if not isinstance(branches, list):
        return []
    return [branch for branch in branches if isinstance(branch, dict)]
