"""An error in the words of Anthropic's Messages API: its statuses, its types, its body."""

import orjson

from openai_api.errors.tree import ApiError
from workers_ai.failures.token_counts import counts_in

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


def status_of(status: int) -> int:
    """What the Messages API says in place of a status of OpenAI's: too busy is 529 there."""
    return 529 if status == 503 else status


def in_words_of_anthropic(error: ApiError, *, request_id: str) -> tuple[int, bytes]:
    """(status, body) as the Messages API has them. It names no field beside the message."""
    status = status_of(error.status)
    kind = _ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    message = error.as_dict()["message"] or ""
    if error.code == "context_length_exceeded":
        # The words, and the numbers, by which agents know that the conversation must be shortened.
        message = f"prompt is too long: {_tokens_over(message)}{message}"
    told: dict[str, object] = {"type": kind, "message": message}
    if error.details is not None:
        told["details"] = dict(error.details)
    body = {"type": "error", "error": told, "request_id": request_id}
    return status, orjson.dumps(body)


def _tokens_over(message: str) -> str:
    """`N tokens > M maximum. ` as Anthropic has it, where the message names both numbers."""
    tokens = counts_in(message)
    if tokens.window is None:
        return ""
    prompt_alone = tokens.prompt is not None and tokens.prompt > tokens.window
    asked = tokens.prompt if prompt_alone else tokens.asked
    return "" if asked is None else f"{asked} tokens > {tokens.window} maximum. "
