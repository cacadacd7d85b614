"""Recognises and opens the v4 envelope `{"result", "success", "errors", "messages"}`."""

from typing import Any

from workers_ai.failures.reader import refusal


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
    inner = body.get("result") if is_envelope(body) else None
    return inner if is_failure(inner) else None


def opened(body: Any, *, status: int = 200, upstream_id: str = "") -> Any:
    """The `result` of an enveloped success, or the bare body itself.

    Raises Refused for a failure, which upstream also sends with HTTP 200 (JSON mode).
    """
    failure = failure_inside(body)
    if failure is not None:
        raise refusal(failure, status=status, upstream_id=upstream_id)
    return body.get("result") if is_envelope(body) else body
