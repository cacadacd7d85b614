"""What chat templates and inference servers refuse in the order of a conversation. Pure.

Each rule takes the messages and says the refusal's words; empty where nothing is wrong. Which model
has which rule stands in its family, as in the templates of the models' own repositories.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import orjson

from workers_ai.simulator.replies import Refusal, model_message

Messages = list[dict[str, Any]]


def _system_first(messages: Messages) -> str:
    late = any(message.get("role") == "system" for message in messages[1:])
    return "System message must be at the beginning." if late else ""


def _no_system(messages: Messages) -> str:
    found = any(message.get("role") == "system" for message in messages)
    return "System role not supported" if found else ""


def _alternating(messages: Messages) -> str:
    """User and assistant take turns, the user first; tools' calls and results do not count."""
    told = messages[1:] if messages and messages[0].get("role") == "system" else messages
    roles = [
        message.get("role")
        for message in told
        if message.get("role") != "tool" and not message.get("tool_calls")
    ]
    begins_wrong = roles[:1] == ["assistant"]
    if begins_wrong or any(one == other for one, other in pairwise(roles)):
        return "Conversation roles must alternate user/assistant/user/assistant/..."
    return ""


def _one_call(messages: Messages) -> str:
    several = any(len(message.get("tool_calls") or ()) > 1 for message in messages)
    return "This model only supports single tool-calls at once!" if several else ""


def _object_arguments(messages: Messages) -> str:
    for message in messages:
        for call in message.get("tool_calls") or ():
            try:
                arguments = orjson.loads(call["function"]["arguments"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                return "Assistant tool call function.arguments must be valid JSON."
            if not isinstance(arguments, dict):
                return "Assistant tool call function.arguments must be a JSON object."
    return ""


def _short_ids(messages: Messages) -> str:
    for message in messages:
        calls = message.get("tool_calls") or ()
        ids = [call.get("id") for call in calls] + [message.get("tool_call_id", "123456789")]
        wrong = [
            one for one in ids if not (isinstance(one, str) and len(one) == 9 and one.isalnum())
        ]
        if wrong:
            return f"Tool call id was {wrong[0]} but must be a-z, A-Z, 0-9, with a length of 9."
    return ""


RULES: Final[dict[str, Callable[[Messages], str]]] = {
    "system-first": _system_first,
    "no-system": _no_system,
    "alternating": _alternating,
    "one-call": _one_call,
    "object-arguments": _object_arguments,
    "short-ids": _short_ids,
}


def require_order(rules: tuple[str, ...], messages: Messages) -> None:
    """Raises `Refusal` for messages that one of the rules refuses."""
    for name in rules:
        words = RULES[name](messages)
        if words:
            raise Refusal(400, 8007, server_words(words))


def server_words(words: str) -> str:
    """The inference server's own failure, as text in Cloudflare's."""
    said = {"object": "error", "message": words, "type": "BadRequestError", "code": 400}
    return model_message(f"AiError: {orjson.dumps(said).decode()}")
