"""The answers for failures, from the rules that make them. Pure."""

from typing import Any

from openai_api.description.shapes import NAME, OBJECT, TEXT_OR_NULL, optional, reference, thing
from openai_api.errors import known_failures
from openai_api.errors.anthropic import status_of

# Those that only a request with a body meets, or one that is run upstream.
_OF_BODIES = {413, 415, 502, 504}
_MESSAGES = {
    400: "The request cannot be done as it is; `param` names the field.",
    401: "No key, or one that is not valid.",
    403: "The key may not do this.",
    404: "No such model, or no such path.",
    405: "No such method here; `Allow` has those that there are.",
    408: "The request did not come in time.",
    413: "The request is larger than it may be.",
    414: "The URL is too long.",
    415: "The body is of a type that is not read.",
    426: "WebSocket is not spoken.",
    429: "A limit is reached. `insufficient_quota`: the budget is used up, and trying again "
    "soon does not help.",
    431: "The headers are too large.",
    500: "A fault of the gateway.",
    502: "Workers AI failed, or could not be reached.",
    503: "The gateway cannot serve at the moment.",
    504: "Workers AI did not answer in time.",
}
_HEADERS = {
    401: ("WWW-Authenticate", "x-should-retry"),
    405: ("Allow",),
    429: ("Retry-After", "x-should-retry"),
    503: ("Retry-After",),
}
SCHEMAS = {
    "Error": thing(
        error=thing(message=NAME, type=NAME, param=TEXT_OR_NULL, code=TEXT_OR_NULL),
    ),
    "AnthropicError": thing(
        type={"const": "error"},
        error=optional(thing(type=NAME, message=NAME), details=OBJECT),
        request_id=NAME,
    ),
}


def components() -> dict[str, Any]:
    """The answers by name: `Error429`, and `AnthropicError429` for that dialect."""
    made = {}
    for status, codes in sorted(known_failures().items()):
        told = _MESSAGES[status]
        coded = f"{told} Codes: {', '.join(f'`{code}`' for code in sorted(codes))}."
        made[f"Error{status}"] = _answer(status, coded if codes else told, "Error")
        made[f"AnthropicError{status_of(status)}"] = _answer(status, told, "AnthropicError")
    return made


def _answer(status: int, told: str, schema: str) -> dict[str, Any]:
    headers = {name: {"schema": {"type": "string"}} for name in _HEADERS.get(status, ())}
    return {
        "description": told,
        **({"headers": headers} if headers else {}),
        "content": {"application/json": {"schema": reference(schema)}},
    }


def answers(*, has_body: bool, anthropic: bool) -> dict[str, Any]:
    """Those of one operation, by their status."""
    statuses = known_failures().keys() - (set() if has_body else _OF_BODIES)
    if anthropic:
        named = {status_of(status): f"AnthropicError{status_of(status)}" for status in statuses}
    else:
        named = {status: f"Error{status}" for status in statuses}
    return {
        str(status): {"$ref": f"#/components/responses/{name}"}
        for status, name in sorted(named.items())
    }
