"""Errors in OpenAI's terms, and those of them that the gateway itself raises.

The exceptions of the other packages know no HTTP: `rules.py` maps them to an ApiError.
"""

from collections.abc import Mapping

import orjson

# An error repeats what the caller wrote, but not megabytes of it.
LONGEST_MESSAGE = 4_000
LONGEST_PARAM = 200
INVALID = "invalid_request_error"
SERVER = "server_error"


class ClientGone(Exception):
    """The client closed its connection: nobody reads an answer."""


class ApiError(Exception):
    """An answer that is an error, in OpenAI's terms."""

    status = 500
    type = SERVER
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        type: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        message = message[:LONGEST_MESSAGE]
        super().__init__(message)
        self.message = message
        self.param = None if param is None else param[:LONGEST_PARAM]
        self.code = code if code is not None else self.code
        self.status = status if status is not None else self.status
        self.type = type if type is not None else self.type
        self.headers = dict(headers or {})
        # What a program reads of the failure, in dialects that have a place for it.
        self.details = details

    def body(self) -> bytes:
        return orjson.dumps({"error": self.as_dict()})

    def as_dict(self) -> dict[str, str | None]:
        return {
            "message": self.message.encode("utf-8", "replace").decode(),
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }


class BadRequest(ApiError):
    """The caller's own mistake; `param` names the field."""

    status = 400
    type = INVALID


# What OpenAI and Anthropic have below `/v1` and this gateway has not: why, and what does instead.
_STATELESS = "this gateway keeps no conversations. Send the earlier messages with each request"
_NO_FILES = "this gateway keeps no files. Send the data itself in the request"
_NO_JOBS = "this gateway runs no jobs. Send requests one by one"
_NOT_HERE = {
    "responses/compact": "models of this gateway make no compacted items. Let the client sum the "
    "conversation up by a request of its own, as Codex does for providers other than OpenAI, leave "
    "out old items of 'input', or set 'truncation' to 'auto'",
    "responses": "this gateway keeps no responses to be read, cancelled or removed later. Send the "
    "earlier items in 'input', with 'store' set to false",
    "chat/completions": "this gateway keeps no chats to be read later",
    "conversations": _STATELESS,
    "threads": _STATELESS,
    "assistants": _STATELESS,
    "files": _NO_FILES,
    "uploads": _NO_FILES,
    "vector_stores": _NO_FILES,
    "containers": "this gateway runs no code",
    "batches": _NO_JOBS,
    "messages/batches": _NO_JOBS,
    "fine_tuning": _NO_JOBS,
    "evals": _NO_JOBS,
    "videos": "no model here makes videos",
    "realtime": "this gateway speaks no WebSocket and no WebRTC. Use /v1/audio/transcriptions, "
    "/v1/chat/completions and /v1/audio/speech",
    "images/variations": "no model here varies a picture without words. Use /v1/images/edits",
    "complete": "Anthropic's older endpoint. Use /v1/messages",
}


class UnknownPath(ApiError):
    """`path` is what follows `/v1`."""

    status = 404
    type = INVALID
    code = "unknown_url"

    def __init__(self, path: str = "") -> None:
        segments = path.split("/")
        for end in range(len(segments), 0, -1):
            named = "/".join(segments[:end])
            if named in _NOT_HERE:
                text = f"'/v1/{path[:120]}' is not served: {_NOT_HERE[named]}."
                break
        else:
            text = "Unknown request URL: this gateway has nothing at this path under /v1."
        super().__init__(text)


class WrongMethod(ApiError):
    status = 405
    type = INVALID
    code = "method_not_supported"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(
            f"Not allowed to {method} here: use {allowed}.", headers={"Allow": allowed}
        )


class BodyTooLarge(ApiError):
    status = 413
    type = INVALID
    code = "request_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"The request body is larger than this gateway takes ({limit_bytes} bytes)."
        )


class TooManyValues(ApiError):
    """JSON that costs far more than its bytes."""

    status = 413
    type = INVALID
    code = "request_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The request body holds more than {limit:,} values, which is more than this gateway "
            "takes. Send texts as strings, not as arrays of tokens or numbers."
        )


class FileTooLarge(ApiError):
    status = 413
    type = INVALID
    code = "request_too_large"

    def __init__(self, param: str, limit_bytes: int) -> None:
        super().__init__(
            f"The file in '{param}' is larger than the {limit_bytes} bytes that are taken.",
            param=param,
        )


class WrongMediaType(ApiError):
    status = 415
    type = INVALID
    code = "unsupported_media_type"


class UnreadableRequest(ApiError):
    """Not HTTP; `why` is the rest of a sentence."""

    status = 400
    type = INVALID
    code = "invalid_http"

    def __init__(self, why: str, code: str | None = None) -> None:
        super().__init__(f"The request cannot be read as HTTP/1.1: {why}.", code=code)


class UrlTooLong(ApiError):
    status = 414
    type = INVALID
    code = "url_too_long"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The URL is longer than this gateway takes ({limit_bytes} bytes).")


class HeadTooLarge(ApiError):
    status = 431
    type = INVALID
    code = "headers_too_large"

    def __init__(self, limit_bytes: int, limit_headers: int) -> None:
        super().__init__(
            "The request's headers are more than this gateway takes "
            f"({limit_bytes} bytes, {limit_headers} headers)."
        )


class RequestTimedOut(ApiError):
    """`what` did not come: the head, or the body."""

    status = 408
    type = INVALID
    code = "request_timeout"

    def __init__(self, what: str) -> None:
        super().__init__(f"The request's {what} did not come in time. Please send it again.")


class TooManyWaiting(ApiError):
    status = 429
    type = "requests"
    code = "rate_limit_exceeded"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"More than {limit} requests wait on this connection: read answers before you send "
            "more, or use further connections.",
            headers={"retry-after": "1"},
        )


class NoRoom(ApiError):
    """The server has as many connections as it can have."""

    status = 503
    code = "overloaded"

    def __init__(self) -> None:
        super().__init__(
            "This gateway has too many connections at the moment. Please try again shortly.",
            headers={"retry-after": "5"},
        )


class PicturesBusy(ApiError):
    """The gateway fetches as many pictures by URL as it can, or for this caller."""

    status = 429
    type = "requests"
    code = "rate_limit_exceeded"

    def __init__(self) -> None:
        super().__init__(
            "Too many pictures are being fetched by URL at the moment. Please try again shortly, "
            "or send them as data URLs.",
            headers={"retry-after": "2"},
        )


class UpgradeRequired(ApiError):
    """Asked for by WebSocket, which nothing here speaks. Clients that can go on over HTTP do so on
    this status."""

    status = 426
    type = INVALID
    code = "websocket_not_supported"

    def __init__(self) -> None:
        super().__init__(
            "This gateway does not speak WebSocket: send the request over HTTP.",
            headers={"Upgrade": "HTTP/1.1", "Connection": "Upgrade"},
        )


class StoppingError(ApiError):
    """The worker ends while the request waits for its turn: another worker takes it."""

    status = 503
    code = "server_stopping"

    def __init__(self) -> None:
        super().__init__(
            "This gateway is being restarted while the request waits for its turn. Please try "
            "again now.",
            headers={"retry-after": "1"},
        )


class KeyStoppedError(ApiError):
    """The key was revoked while its stream was running."""

    status = 401
    type = INVALID
    code = "invalid_api_key"
