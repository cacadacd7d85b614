"""Tool calls that a model wrote as text, where its server did not recognise them as calls. Pure.

Llama models do so whether a call was forced or not. A text counts as a call only where all of it is
one, and of a tool that the request offers.
"""

import json
import re
from collections.abc import Collection
from typing import Any, Final

from openai_api.wire.exact_json import as_text, parse_exact

# The fields of a call that was not forced; with any other field beside them it is an answer in
# JSON.
_FIELDS: Final = frozenset({"type", "name", "id", "arguments", "parameters"})
_FIRST_FIELD = re.compile(r'\{\s*"(?P<name>\w*)(?P<rest>.*)', re.DOTALL)
_VALUE = re.compile(r'"\s*:\s*"(?P<value>[^"]*)(?P<closed>"?)', re.DOTALL)


def may_become_call(text: str, tools: Collection[str]) -> bool:
    """Whether an answer that begins so may turn out to be nothing but a call of one of `tools`.

    Decided by its first field, so that other answers in JSON are held back for a few characters.
    """
    text = text.lstrip()
    if not text:
        return True
    if not text.startswith("{"):
        return False
    first = _FIRST_FIELD.fullmatch(text)
    if first is None:
        return not text[1:].strip()
    name, rest = first["name"], first["rest"]
    values = {"type": ["function"], "name": tools}
    if not rest:
        return any(field.startswith(name) for field in values)
    if name not in values:
        return False
    value = _VALUE.match(rest)
    if value is None:
        return not rest.strip('": \t\r\n')
    if value["closed"]:
        return value["value"] in values[name]
    return any(known.startswith(value["value"]) for known in values[name])


def is_plain_call(text: str) -> bool:
    """Whether a JSON text has the fields of a call, its arguments included, and no others."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(tree, dict)
        and tree.keys() <= _FIELDS
        and ("arguments" in tree or "parameters" in tree)
        and tree.get("type", "function") == "function"
    )


def leaked_calls(text: str, tools: Collection[str]) -> list[dict[str, Any]] | None:
    """The calls that a model wrote as text although it was forced to call a tool; None for other
    text.

    Forms seen: `{"name", "arguments"}`, `{"name", "parameters"}`, a list of these, and `{"name",
    …}` with the arguments beside the name. Only names of `tools` count.
    """
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].removeprefix("json").strip()
    try:
        tree = parse_exact(text)
    except (ValueError, RecursionError):
        return None
    entries = tree if isinstance(tree, list) else [tree]
    calls = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("name") not in tools:
            return None
        arguments: Any = entry
        for key in ("arguments", "parameters"):
            if key in entry:
                arguments = entry[key]
                break
        else:
            arguments = {name: value for name, value in entry.items() if name != "name"}
        if isinstance(arguments, str) and not _is_json(arguments):
            arguments = {"input": arguments}
        calls.append({"name": entry["name"], "arguments": as_text(arguments)})
    return calls or None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
