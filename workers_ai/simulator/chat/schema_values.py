"""Values that fit a JSON Schema, taken from a text where the text has them. Pure.

This is how the simulated models fill in tool arguments and JSON answers.
"""

import re
from typing import Any

_NO_UUID = "00000000-0000-4000-8000-000000000000"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_PLACE_NAMES = ("city", "location", "place", "town", "country", "destination", "origin", "address")
_CAPITALISED = re.compile(r"\b[A-ZÀ-Þ][\w'’-]*(?:\s+[A-ZÀ-Þ][\w'’-]*)*")
_SENTENCE_STARTS = {
    "a", "an", "and", "answer", "are", "call", "can", "check", "compare", "could", "do", "find",
    "for", "get", "give", "how", "i", "in", "is", "look", "please", "return", "search", "show",
    "tell", "the", "use", "what", "what's", "when", "where", "which", "who", "will", "you",
}  # fmt: skip


def value_for(schema: Any, text: str, name: str = "", root: Any = None) -> Any:
    """An instance of `schema`; `name` is the property's, which often says what is meant."""
    root = schema if root is None else root
    if not isinstance(schema, dict):
        return text
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return _mentioned(schema["enum"], text)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    if kind == "object":
        return _object_for(schema, text, root)
    if kind == "array":
        return _array_for(schema, text, name, root)
    if kind in ("integer", "number"):
        return _number_for(schema, text, kind)
    if kind == "boolean":
        return not re.search(r"\b(no|not|don't|without|false)\b", text, re.I)
    if kind == "null":
        return None
    return _string_for(schema, text, name)


def _resolved(schema: dict[str, Any], root: Any) -> dict[str, Any]:
    """The schema behind `$ref` and `allOf`, and the first branch of a choice that is not null."""
    for _ in range(8):
        if isinstance(schema.get("$ref"), str):
            schema = _pointed_at(root, schema["$ref"])
        elif isinstance(schema.get("allOf"), list):
            merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
            for part in schema["allOf"]:
                merged.update(_resolved(part, root))
            schema = merged
        elif branches := schema.get("anyOf") or schema.get("oneOf"):
            schema = next((one for one in branches if one.get("type") != "null"), branches[0])
        else:
            break
    return schema


def _pointed_at(root: Any, pointer: str) -> dict[str, Any]:
    node = root
    for step in pointer.removeprefix("#").strip("/").split("/"):
        if not step:
            continue
        node = node.get(step.replace("~1", "/").replace("~0", "~"), {})
    return node if isinstance(node, dict) else {}


def _mentioned(options: list[Any], text: str) -> Any:
    found = [one for one in options if re.search(rf"\b{re.escape(str(one))}\b", text, re.I)]
    return found[0] if found else options[0]


def _object_for(schema: dict[str, Any], text: str, root: Any) -> dict[str, Any]:
    known = schema.get("properties") or {}
    required = schema.get("required")
    names = required if isinstance(required, list) and required else list(known)
    return {
        name: value_for(known.get(name, {}), text, name, root) for name in names if name in known
    }


def _array_for(schema: dict[str, Any], text: str, name: str, root: Any) -> list[Any]:
    items = schema.get("items") or {}
    if "prefixItems" in schema:
        return [value_for(item, text, name, root) for item in schema["prefixItems"]]
    resolved = _resolved(items, root) if isinstance(items, dict) else {}
    if resolved.get("type") in ("integer", "number") and _NUMBER.search(text):
        values = [_number_for(resolved, one, resolved["type"]) for one in _NUMBER.findall(text)]
    elif resolved.get("type") == "string" and not resolved.get("enum"):
        values = unique(proper_names(text)) or [value_for(items, text, name, root)]
    else:
        values = [value_for(items, text, name, root)]
    while len(values) < schema.get("minItems", 0):
        values.append(values[-1])
    return values[: schema.get("maxItems", 8)]


def _number_for(schema: dict[str, Any], text: str, kind: str) -> int | float:
    found = _NUMBER.search(text)
    number = float(found.group()) if found else float(schema.get("default", 1) or 0)
    low = schema.get("minimum", schema.get("exclusiveMinimum", number - 1) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", number + 1) - 1)
    number = min(max(number, low), high)
    return int(number) if kind == "integer" or number.is_integer() else number


def _string_for(schema: dict[str, Any], text: str, name: str) -> str:
    made = _formatted(schema.get("format", ""), text) or _named(name.lower(), text)
    made = made[: schema.get("maxLength", len(made))]
    return made.ljust(schema.get("minLength", 0), ".")


def _formatted(wanted: str, text: str) -> str:
    patterns = {
        "date": (r"\d{4}-\d\d-\d\d", "2026-01-01"),
        "date-time": (r"\d{4}-\d\d-\d\dT[\d:.]+Z?", "2026-01-01T12:00:00Z"),
        "time": (r"\d\d:\d\d(?::\d\d)?", "12:00:00"),
        "email": (r"[\w.+-]+@[\w-]+\.[\w.]+", "someone@example.com"),
        "uri": (r"https?://\S+", "https://example.com/"),
        "uuid": (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", _NO_UUID),
    }  # fmt: skip
    if wanted not in patterns:
        return ""
    pattern, default = patterns[wanted]
    found = re.search(pattern, text)
    return found.group() if found else default


def _named(name: str, text: str) -> str:
    if "expression" in name or "formula" in name:
        found = re.search(r"\d[\d\s.+*/()^-]*\d", text)
        return found.group().strip() if found else text
    for wanted in ("date", "email", "uri"):
        if wanted in name or (wanted == "uri" and "url" in name):
            return _formatted(wanted, text)
    quoted = re.search(r"[\"“]([^\"”]+)[\"”]", text)
    if quoted:
        return quoted.group(1)
    names = proper_names(text)
    if any(part in name for part in _PLACE_NAMES) or name == "name":
        return names[0] if names else _last_word(text)
    return text


def _last_word(text: str) -> str:
    words = re.findall(r"[\w'’-]+", text)
    return words[-1] if words else "nowhere"


def unique(names: list[str]) -> list[Any]:
    return list(dict.fromkeys(names))


def proper_names(text: str) -> list[str]:
    """Capitalised words of the text; one that begins a sentence only when there is no other."""
    inside: list[str] = []
    at_start: list[str] = []
    for match in _CAPITALISED.finditer(text):
        words = match.group().split()
        starts = not text[: match.start()].rstrip() or text[: match.start()].rstrip()[-1] in ".!?:"
        while words and words[0].lower() in _SENTENCE_STARTS:
            words.pop(0)
            starts = False
        if words:
            (at_start if starts else inside).append(" ".join(words))
    return inside or at_start
