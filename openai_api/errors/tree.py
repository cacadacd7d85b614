"""What an error answer is in OpenAI's terms, and those that the gateway itself raises.

The trees of the other packages know no HTTP: `rules.py` maps them to an ApiError.
"""

from collections.abc import Mapping

import orjson

INVALID = "invalid_request_error"
SERVER = "server_error"


class ClientGone(Exception):
    """The client closed its connection: there is nobody to answer."""


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
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code if code is not None else self.code
        self.status = status if status is not None else self.status
        self.type = type if type is not None else self.type
        self.headers = dict(headers or {})

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


class UnknownPath(ApiError):
    status = 404
    type = INVALID
    code = "unknown_url"

    def __init__(self) -> None:
        super().__init__("Unknown request URL: this gateway has nothing at this path under /v1.")


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


class KeyStoppedError(ApiError):
    """The key was revoked while its stream was running."""

    status = 401
    type = INVALID
    code = "invalid_api_key"
