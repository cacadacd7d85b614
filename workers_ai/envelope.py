"""Recognises and opens the v4 envelope `{"result", "success", "errors", "messages"}`."""

from typing import Any

from workers_ai.failures.reader import refusal


def is_envelope(body: Any) -> bool:
    return isinstance(body, dict) and "success" in body and ("result" in body or "errors" in body)


def opened(body: Any, *, status: int = 200, upstream_id: str = "") -> Any:
    """The `result` of an enveloped success, or the bare body itself.

    Raises Refused for `success: false`, which upstream also sends with HTTP 200 (JSON mode).
    """
    if not is_envelope(body):
        return body
    if body["success"] is False:
        raise refusal(body, status=status, upstream_id=upstream_id)
    return body.get("result")
