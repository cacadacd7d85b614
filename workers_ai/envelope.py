"""Recognises and opens the v4 envelope `{"result", "success", "errors", "messages"}`."""

import re
from typing import Any, Final

import orjson

from workers_ai.failures.reader import refusal

# Quotes in what a model wrote are escaped, so that its text does not look so.
_SAYS_NO: Final = re.compile(
    rb'"(?:success"\s*:\s*false|error"\s*:\s*[\[{"]|object"\s*:\s*"error"|internalCode")'
)

# Pictures and sound do not begin so; to search one would take longer than to read it.
_BEGINS_JSON: Final = b"{ \t\r\n"


def is_envelope(body: Any) -> bool:
    return isinstance(body, dict) and "success" in body and ("result" in body or "errors" in body)


def is_failure(body: Any) -> bool:
    """Whether an answer is a failure, in any of the shapes that `failures/body.py` names."""
    return isinstance(body, dict) and bool(
        body.get("success") is False
        or body.get("error")
        or body.get("object") == "error"
        or ("internalCode" in body and "message" in body)
    )


def failure_inside(body: Any) -> Any:
    """The failure that a body is, or that its envelope says is a success; None for an answer."""
    if is_failure(body):
        return body
    if is_envelope(body) and is_failure(body.get("result")):
        return body["result"]
    return None


def fails_inside(content: bytes) -> bool:
    """Whether JSON is a failure, whatever type it is declared to be; does not parse an answer that
    lacks its words."""
    if content[:1] not in _BEGINS_JSON or not _SAYS_NO.search(content):
        return False
    try:
        return failure_inside(orjson.loads(content)) is not None
    except orjson.JSONDecodeError:
        return False


def opened(body: Any, *, status: int = 200, upstream_id: str = "") -> Any:
    """The `result` of an enveloped success, or the bare body itself.

    Raises Refused for a failure, which upstream also sends with HTTP 200 (JSON mode).
    """
    failure = failure_inside(body)
    if failure is not None:
        raise refusal(failure, status=status, upstream_id=upstream_id)
    return body.get("result") if is_envelope(body) else body
