"""The fields of a schema's form that have one scalar type. Pure; takes any schema."""

import math
import re
from collections.abc import Mapping
from typing import Any

from catalog.classify.facts import Parameter
from catalog.classify.schema_shapes import Shape, alternatives

_PLAIN_KINDS = ("integer", "number", "string", "boolean")
_DEFAULT_IN_WORDS = re.compile(
    r"\bdefaults?\b(?: is| to|:)?\s+([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE
)


def parameters_of(form: Shape) -> dict[str, Parameter]:
    """The form's scalar fields; lists, objects and fields of several types are left out."""
    found = {name: _parameter(declared) for name, declared in form.properties.items()}
    return {name: parameter for name, parameter in found.items() if parameter}


def _parameter(declared: Mapping[str, Any]) -> Parameter | None:
    """None unless the field has one scalar type; null beside it does not count."""
    kinds = [(kind, node) for node in alternatives(declared) for kind in _kinds(node)]
    if len(kinds) != 1 or kinds[0][0] not in _PLAIN_KINDS:
        return None
    kind, inner = kinds[0]
    if inner.get("format") == "binary":
        return None
    declared = {**declared, **inner}
    default = declared.get("default")
    if default is None and kind in ("integer", "number"):
        # flux-1-schnell tells the default of `steps` in its description only (seen 2026-10).
        told = _DEFAULT_IN_WORDS.search(str(declared.get("description") or ""))
        default = float(told[1]) if told else None
        if default is not None and default.is_integer():
            default = int(default)
    return Parameter(
        kind=kind,
        minimum=_number(declared.get("minimum")),
        maximum=_number(declared.get("maximum")),
        default=default if isinstance(default, bool | str) else _number(default),
        choices=words_of(declared.get("enum")),
    )


def _kinds(node: Mapping[str, Any]) -> list[str]:
    kind = node.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return [kind for kind in kinds if isinstance(kind, str) and kind != "null"]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def word_of(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def words_of(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(word for word in value if isinstance(word, str))
