"""An error in the words of Anthropic's Messages API: its statuses, its types, its body."""

import orjson

from openai_api.errors.tree import ApiError

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def in_words_of_anthropic(error: ApiError, *, request_id: str) -> tuple[int, bytes]:
    """(status, body) as the Messages API has them. It names no field beside the message."""
    status = 529 if error.status == 503 else error.status
    kind = _ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    message = error.as_dict()["message"] or ""
    if error.code == "context_length_exceeded":
        # The words by which agents know that it is time to shorten the conversation.
        message = f"prompt is too long: {message}"
    body = {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    }
    return status, orjson.dumps(body)
