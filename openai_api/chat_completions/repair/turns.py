"""Messages in the order that a model's chat template insists on. Pure: new lists come out.

No schema names that order: the template of each family refuses at run time.
"""

import hashlib
import re
from typing import Any, Final

Messages = list[dict[str, Any]]
_SHORT_ID: Final = re.compile(r"[A-Za-z0-9]{9}")


def with_system_first(messages: Messages) -> Messages:
    """One system message at the very beginning; a later one is said by the user."""
    ordered: Messages = []
    for message in messages:
        if message["role"] != "system" or not ordered:
            ordered.append(message)
        else:
            ordered.append({**message, "role": "user"})
    return ordered


def with_system_in_the_first_turn(messages: Messages) -> Messages:
    """No system message at all: what it says stands before the first words of the user."""
    said = [message for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    if not said:
        return messages
    first = next((n for n, message in enumerate(rest) if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": _joined(said)}, *rest]
    merged = {**rest[first], "content": _joined([*said, rest[first]])}
    return [*rest[:first], merged, *rest[first + 1 :]]


def with_one_call_a_turn(messages: Messages) -> Messages:
    """Parallel tool calls as turns that follow each other, each with its own result."""
    ordered: Messages = []
    position = 0
    while position < len(messages):
        message = messages[position]
        calls = message.get("tool_calls") or ()
        position += 1
        if len(calls) < 2:
            ordered.append(message)
            continue
        results: dict[str, Messages] = {}
        while position < len(messages) and messages[position]["role"] == "tool":
            results.setdefault(messages[position]["tool_call_id"], []).append(messages[position])
            position += 1
        for number, call in enumerate(calls):
            turn = {**message, "tool_calls": [call]}
            if number:
                turn["content"] = ""
                turn.pop("reasoning", None)
            ordered.append(turn)
            ordered += results.pop(call["id"], ())
        ordered += [result for left in results.values() for result in left]
    return ordered


def with_short_call_ids(messages: Messages) -> Messages:
    """Ids of tool calls as nine letters and digits, the same for a call and its result."""
    return [_with_short_ids(message) for message in messages]


def _with_short_ids(message: dict[str, Any]) -> dict[str, Any]:
    changed = dict(message)
    if message.get("tool_calls"):
        changed["tool_calls"] = [
            {**call, "id": _short(call["id"])} for call in message["tool_calls"]
        ]
    if "tool_call_id" in message:
        changed["tool_call_id"] = _short(message["tool_call_id"])
    return changed


def _short(call_id: str) -> str:
    if _SHORT_ID.fullmatch(call_id):
        return call_id
    return hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:9]


# What the user says where the assistant spoke first, as in a chat that begins with a greeting.
_OPENING: Final = "Begin."


def with_alternating_turns(messages: Messages) -> Messages:
    """The user's turn first, and neighbours of one role as one message, where both are text."""
    ordered: Messages = []
    begun = False
    for message in messages:
        if not begun and message["role"] == "assistant":
            ordered.append({"role": "user", "content": _OPENING})
        begun = begun or message["role"] in ("user", "assistant")
        last = ordered[-1] if ordered else None
        if last is not None and _may_join(last, message):
            ordered[-1] = {**last, "content": _joined([last, message])}
        else:
            ordered.append(message)
    return ordered


def _may_join(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (
        one["role"] == other["role"]
        and one["role"] in ("user", "assistant", "system")
        and not (one.get("tool_calls") or other.get("tool_calls"))
    )


def _joined(messages: Messages) -> Any:
    """Their contents as one: a text where all are texts, else parts."""
    contents = [message.get("content") or "" for message in messages]
    if all(isinstance(content, str) for content in contents):
        return "\n\n".join(content for content in contents if content)
    parts: list[Any] = []
    for content in contents:
        if isinstance(content, str):
            parts += [{"type": "text", "text": content}] if content else []
        else:
            parts += content
    return parts
