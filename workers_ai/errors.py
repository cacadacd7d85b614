"""What can go wrong with Workers AI, and how an answer of Cloudflare's is read as one of these.

WorkersAIError
├── Unreachable           no connection, or it broke before an answer began
├── TimedOut              one of our four time-outs ran out (`phase` says which)
├── StreamCut             the connection broke, or the stream stopped, in the middle
├── UnusableAnswer        a success that is empty or is not what the API promises
└── Refused               Cloudflare answered, and said no (`status`, `code`, `message`)
    ├── BadInput              the request itself, in upstream's words
    │   ├── ContextTooLong        prompt + max_tokens do not fit the model
    │   └── ContentRefused        the safety filter took the picture
    ├── RequestTooLarge
    ├── ModelMissing          no such model, or no longer
    ├── ModelNotForAccount    terms not agreed, private, or needs the paid plan
    ├── TryAgainSoon          worth another try in seconds
    │   ├── RateReached           the account's requests per minute
    │   └── NoCapacity
    ├── AllocationUsedUp      the account's neurons of the day are gone
    ├── UpstreamTimedOut      Cloudflare's own time-out
    ├── AccountFault          credentials, account or AI Gateway: only the operator can mend it
    └── ServerFault           everything else that is not the caller's fault
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar


class WorkersAIError(Exception):
    """Any failure of a call; `attempts` counts the tries that were made."""

    attempts: int = 1


class Unreachable(WorkersAIError):
    """No connection, or one that broke before an answer began; `sent` when the request had left."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(WorkersAIError):
    """One of our time-outs ran out; `phase` is connect, pool, first_byte or idle."""

    def __init__(self, phase: str, limit_s: float) -> None:
        super().__init__(f"Workers AI did not answer in time ({phase}, {limit_s:g} s)")
        self.phase = phase
        self.limit_s = limit_s


class StreamCut(WorkersAIError):
    """The answer stopped in the middle."""


class UnusableAnswer(WorkersAIError):
    """A success that holds nothing, or not what the API promises."""


class Refused(WorkersAIError):
    """Cloudflare's no. `message` is upstream's text without its decorations."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: int | None = None,
        retry_after_s: float | None = None,
        upstream_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.upstream_id = upstream_id

    def __str__(self) -> str:
        return f"HTTP {self.status}, code {self.code}: {self.message}"


class BadInput(Refused):
    """The request does not fit the model's schema or the inference server refused it."""


class ContextTooLong(BadInput):
    """Prompt and output limit together exceed the model's context window."""


class ContentRefused(BadInput):
    """The output was flagged by the safety filter."""


class RequestTooLarge(Refused):
    """The body is larger than Cloudflare takes."""


class ModelMissing(Refused):
    """No such model or task, or the model was removed."""


class ModelNotForAccount(Refused):
    """The model needs terms, a plan or a permission that the account lacks."""


class TryAgainSoon(Refused):
    """Busy; the same request may pass in seconds."""


class RateReached(TryAgainSoon):
    """The account's requests per minute for this task or model."""


class NoCapacity(TryAgainSoon):
    """No capacity at the moment."""


class AllocationUsedUp(Refused):
    """The account's neurons of the day are used up; they return at 00:00 UTC."""


class UpstreamTimedOut(Refused):
    """Cloudflare gave up waiting for its own inference server."""


class AccountFault(Refused):
    """Credentials, account, plan or AI Gateway are wrong: the operator's to mend."""


class ServerFault(Refused):
    """A fault on Cloudflare's side."""


BY_CODE: Mapping[int, type[Refused]] = {
    2001: AccountFault,
    2008: AccountFault,
    3003: BadInput,
    3006: RequestTooLarge,
    3007: UpstreamTimedOut,
    3008: UpstreamTimedOut,
    3010: ContextTooLong,
    3021: RateReached,
    3023: AccountFault,
    3030: ContentRefused,
    3036: AllocationUsedUp,
    3039: BadInput,
    3040: NoCapacity,
    3041: ModelNotForAccount,
    3042: ModelMissing,
    3046: UpstreamTimedOut,
    4006: AllocationUsedUp,
    5004: BadInput,
    5005: BadInput,
    5006: BadInput,
    5007: ModelMissing,
    5016: ModelNotForAccount,
    5018: ModelNotForAccount,
    5019: ServerFault,
    5021: ContextTooLong,
    5028: ModelMissing,
    5035: ModelNotForAccount,
    7000: ServerFault,
    7001: ServerFault,
    7003: AccountFault,
    7009: ServerFault,
    8001: BadInput,
    8005: ServerFault,
    8006: BadInput,
    8008: ServerFault,
    9106: AccountFault,
    9109: AccountFault,
    10000: AccountFault,
}


class _ByStatus:
    """HTTP status → class, for codes that nobody has documented."""

    exact: ClassVar[Mapping[int, type[Refused]]] = {
        400: BadInput,
        401: AccountFault,
        402: AccountFault,
        403: AccountFault,
        404: ModelMissing,
        405: ServerFault,
        408: UpstreamTimedOut,
        409: TryAgainSoon,
        410: ModelMissing,
        413: RequestTooLarge,
        415: BadInput,
        422: BadInput,
        429: TryAgainSoon,
        504: UpstreamTimedOut,
    }

    @classmethod
    def choose(cls, status: int) -> type[Refused]:
        return cls.exact.get(status, BadInput if 400 < status < 500 else ServerFault)


_CODE_IN_TEXT = re.compile(r"\b(\d{4,5})\s*:")
_PREFIX = re.compile(r"^(?:AiError:\s*|\d{4,5}:\s*)+")
_REQUEST_ID = re.compile(r"\s*\([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\)\s*$")
_CONTEXT_TEXT = re.compile(r"context window limit|maximum context length", re.IGNORECASE)
_JSON_MODE_TEXT = re.compile(r"JSON Mode couldn't be met", re.IGNORECASE)


def readable(message: str) -> str:
    """Upstream's text without `AiError: ` prefixes and the trailing request id."""
    return _REQUEST_ID.sub("", _PREFIX.sub("", message)).strip()


def first_error(body: Any) -> tuple[int | None, str]:
    """(code, text) of a v4 failure body; `errors` may be a list, one object, or absent."""
    if not isinstance(body, dict):
        return None, ""
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        errors = errors[0]
    if not isinstance(errors, dict):
        # Anthropic's and OpenAI's shape, which some routes and backends answer with.
        errors = body.get("error")
    if isinstance(errors, str):
        return None, errors
    if not isinstance(errors, dict):
        return None, ""
    message = errors.get("message")
    text = message if isinstance(message, str) else ""
    return _number(errors.get("code")) or _code_in(text), text


def _number(code: Any) -> int | None:
    if isinstance(code, bool):
        return None
    if isinstance(code, int):
        return code
    if isinstance(code, str) and code.isdecimal():
        return int(code)
    return None


def _code_in(text: str) -> int | None:
    """The binding form `3040: Capacity …`; a number that is not a known code is only text."""
    for found in _CODE_IN_TEXT.findall(text):
        if int(found) in BY_CODE:
            return int(found)
    return None


def refusal(
    body: Any, *, status: int, retry_after_s: float | None = None, upstream_id: str = ""
) -> Refused:
    """The error that a failure body with this HTTP status means.

    `status` is 200 for failures inside a success; then the code and the text decide.
    """
    code, text = first_error(body)
    chosen = BY_CODE.get(code) if code is not None else None
    if chosen is None and _CONTEXT_TEXT.search(text):
        chosen = ContextTooLong
    if chosen is None and _JSON_MODE_TEXT.search(text):
        chosen = BadInput
    if chosen is None:
        chosen = _ByStatus.choose(status)
    return chosen(
        readable(text) or f"Workers AI answered with HTTP status {status}",
        status=status,
        code=code,
        retry_after_s=retry_after_s,
        upstream_id=upstream_id,
    )
