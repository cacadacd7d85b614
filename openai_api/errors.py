"""The one place with the callers' error words: every failure on `/v1` becomes status, body and
headers here.

Comes in: an exception of any package's tree. Goes out: OpenAI's `{"error": {"message", "type",
"param", "code"}}`, or Anthropic's body on the paths that speak its dialect. The trees of the other
packages know no HTTP; `_RULES` maps each class, and a test walks the trees and fails on a class
without a rule. Upstream's text is quoted only where it is about the caller's own request.
"""

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson
from django.conf import settings
from django.http import HttpResponse
from rest_framework import exceptions as drf

from catalog import errors as catalog
from keys import errors as keys
from openai_api.served import SERVED
from workers_ai import errors as upstream

logger = logging.getLogger(__name__)

INVALID = "invalid_request_error"
SERVER = "server_error"
# Stands for the field that holds an endpoint's text, whose name its requests know.
PROMPT = "(prompt)"
OPERATOR_NOTE = "The operator of this gateway has to look at it; the request id helps them."


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


@dataclass(frozen=True, slots=True)
class Rule:
    """How a class of failures reads. `text` makes the message; None quotes the error itself."""

    status: int
    type: str
    code: str | None
    text: Callable[[Exception], str] | str | None = None
    headers: Callable[[Exception], dict[str, str]] = field(default=lambda error: {})
    param: str | None = None
    operators: bool = False  # logged as an error: only the operator can mend it
    outage: bool = False  # every request fails like this for a while: one line a period tells it


def _retry_after(error: Exception) -> dict[str, str]:
    seconds = getattr(error, "retry_after_s", None)
    return {"retry-after": str(max(1, math.ceil(1 if seconds is None else seconds)))}


def _until_midnight(error: Exception) -> dict[str, str]:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "retry-after": str(math.ceil((midnight - now).total_seconds())),
        "x-should-retry": "false",
    }


def _until_reset(error: Exception) -> dict[str, str]:
    headers = {"x-should-retry": "false"}
    reset_at = getattr(error, "reset_at", None)
    if reset_at is not None:
        headers["retry-after"] = str(max(1, math.ceil(reset_at - time.time())))
    return headers


def _upstream_text(error: Exception) -> str:
    """Upstream's words, which may repeat what it was called with, without our secrets."""
    text = str(getattr(error, "message", error))
    for secret in (settings.CLOUDFLARE_API_TOKEN, settings.CLOUDFLARE_ACCOUNT_ID):
        if secret:
            text = text.replace(secret, "[hidden]")
    return text


def _quoted(error: Exception) -> str:
    return f"Workers AI refused the request: {_upstream_text(error)}"


_TWO_NUMBERS = re.compile(r"\((\d+)\)\D*\((\d+)\)")


def _context_text(error: Exception) -> str:
    """Upstream's words for a prompt that is too long, in OpenAI's."""
    message = _upstream_text(error)
    found = _TWO_NUMBERS.search(message)
    if found is None:
        return f"This model's maximum context length is exceeded: {message}"
    return (
        f"This model's maximum context length is {found[2]} tokens. However, you requested "
        f"{found[1]} tokens, the completion's limit included. "
        "Please reduce the length of the messages or completion."
    )


def _wrong_endpoint_text(error: Exception) -> str:
    assert isinstance(error, catalog.WrongEndpoint)
    served = [SERVED[name] for name in error.served_by if name in SERVED]
    where = " or ".join(f"POST {endpoint.path}" for endpoint in served)
    return f"The model `{catalog.shown(error.name)}` cannot be used with this endpoint: " + (
        f"use {where}." if where else "no endpoint of this gateway serves it."
    )


def _needs_image_text(error: Exception) -> str:
    return f"{error} Use POST {SERVED['image_edits'].path}."


def _kind(error: Exception) -> str:
    noun = getattr(error, "noun", "")
    return "tokens" if noun.startswith("tokens") else "requests"


_UNKNOWN_KEY = Rule(
    401, INVALID, "invalid_api_key", headers=lambda e: {"WWW-Authenticate": "Bearer"}
)
_NOT_FOUND = Rule(404, INVALID, "model_not_found", param="model")
_WRONG_MODEL = Rule(400, INVALID, "model_not_supported", param="model")
_LIMIT = Rule(429, "requests", "rate_limit_exceeded", headers=_retry_after)
_BUSY = Rule(
    429,
    "requests",
    "rate_limit_exceeded",
    "Workers AI is busy at the moment. Please try again in a few seconds.",
    headers=_retry_after,
)
_OPERATOR = Rule(
    502, SERVER, "upstream_misconfigured",
    f"The gateway's own access to Workers AI was refused. {OPERATOR_NOTE}",
    headers=lambda error: {"x-should-retry": "false"}, operators=True,
)  # fmt: skip
_UPSTREAM = Rule(502, SERVER, "upstream_error", "Workers AI failed to answer this request.")
_TIMEOUT = Rule(504, SERVER, "upstream_timeout", "Workers AI did not answer in time.")

_RULES: dict[type[Exception], Rule] = {
    # keys
    keys.KeysError: Rule(500, SERVER, None, "The gateway could not handle this key."),
    keys.InvalidKey: _UNKNOWN_KEY,
    keys.NotPermitted: Rule(403, INVALID, "not_allowed"),
    keys.EndpointNotAllowed: Rule(403, INVALID, "endpoint_not_allowed"),
    keys.AddressNotAllowed: Rule(403, INVALID, "address_not_allowed"),
    keys.LimitReached: _LIMIT,
    keys.TokenRateReached: Rule(429, "tokens", "rate_limit_exceeded", headers=_retry_after),
    keys.BudgetUsedUp: Rule(429, "insufficient_quota", "insufficient_quota", headers=_until_reset),
    keys.LedgerUnavailable: Rule(
        503, SERVER, "ledger_unavailable",
        "The gateway cannot record requests at the moment. Please try again shortly.",
        headers=lambda error: {"retry-after": "5"}, operators=True, outage=True,
    ),
    keys.RowRefused: Rule(500, SERVER, None, "The request could not be recorded.", operators=True),
    keys.CannotChangeKey: Rule(400, INVALID, None),
    # catalog
    catalog.CatalogError: Rule(500, SERVER, None, "The gateway could not read its model catalog."),
    catalog.CatalogEmpty: Rule(
        503, SERVER, "catalog_empty", headers=lambda error: {"retry-after": "30"},
        operators=True, outage=True,
    ),
    catalog.ModelUnavailable: _NOT_FOUND,
    catalog.ModelNotAllowed: Rule(403, INVALID, "model_not_allowed", param="model"),
    catalog.WrongEndpoint: Rule(
        400, INVALID, "model_not_supported", _wrong_endpoint_text, param="model"
    ),
    catalog.NotRunnable: _WRONG_MODEL,
    catalog.NeedsInputImage: Rule(
        400, INVALID, "model_not_supported", _needs_image_text, param="model"
    ),
    catalog.RefreshFailed: Rule(502, SERVER, "upstream_error"),
    # workers_ai
    upstream.WorkersAIError: _UPSTREAM,
    upstream.Unreachable: Rule(
        502, SERVER, "upstream_unreachable", "Workers AI could not be reached.",
        operators=True, outage=True,
    ),
    upstream.TimedOut: _TIMEOUT,
    upstream.StreamCut: Rule(
        502, SERVER, "upstream_cut", "Workers AI broke off in the middle of its answer."
    ),
    upstream.UnusableAnswer: Rule(
        502, SERVER, "upstream_empty", "Workers AI answered with nothing that can be used."
    ),
    upstream.Refused: _UPSTREAM,
    upstream.BadInput: Rule(400, INVALID, "invalid_request", _quoted),
    upstream.ContextTooLong: Rule(
        400, INVALID, "context_length_exceeded", _context_text, param=PROMPT
    ),
    upstream.ContentRefused: Rule(400, INVALID, "content_policy_violation", _quoted),
    upstream.RequestTooLarge: Rule(
        413, INVALID, "request_too_large", "The request is larger than Workers AI takes."
    ),
    upstream.ModelMissing: Rule(404, INVALID, "model_not_found", _quoted, param="model"),
    upstream.ModelNotForAccount: Rule(403, INVALID, "model_not_allowed", _quoted, param="model"),
    upstream.TryAgainSoon: _BUSY,
    upstream.AllocationUsedUp: Rule(
        429, "insufficient_quota", "insufficient_quota",
        "The Cloudflare account has used up its free neurons for today; they return at 00:00 UTC.",
        headers=_until_midnight,
    ),
    upstream.UpstreamTimedOut: _TIMEOUT,
    upstream.AccountFault: _OPERATOR,
    upstream.ServerFault: _UPSTREAM,
    # Django REST framework
    drf.APIException: Rule(400, INVALID, None),
}  # fmt: skip


def rule_for(error_class: type[Exception]) -> Rule | None:
    """The rule of the nearest class in the error's ancestry."""
    for ancestor in error_class.__mro__:
        rule = _RULES.get(ancestor)
        if rule is not None:
            return rule
    return None


def api_error(error: Exception, *, prompt_param: str = "messages") -> ApiError:
    """Any failure in OpenAI's terms. What nobody foresaw is a 500 whose cause is only logged.

    `prompt_param` is what the endpoint calls its text, for errors about a text that is too long.
    """
    if isinstance(error, ApiError):
        return error
    rule = rule_for(type(error))
    if rule is None:
        return ApiError("The gateway failed to handle this request.", code="internal_error")
    text = rule.text(error) if callable(rule.text) else rule.text
    kind = _kind(error) if isinstance(error, keys.LimitReached) else rule.type
    return ApiError(
        str(error) if text is None else text,
        status=rule.status,
        type=kind,
        code=rule.code,
        param=prompt_param if rule.param == PROMPT else rule.param,
        headers=rule.headers(error),
    )


class Outages:
    """Which failure may be said again. Each refused request has its line in the access log anyway;
    a thousand of them a second must not fill the disk with the same sentence twice."""

    EVERY_S = 10.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}  # when, and how many came since unsaid

    def unsaid(self, name: str) -> int | None:
        """How many were left unsaid before this one; None to leave this one unsaid too."""
        now = self._clock()
        said_at, since = self._said.get(name, (-math.inf, 0))
        if now - said_at < self.EVERY_S:
            self._said[name] = (said_at, since + 1)
            return None
        self._said[name] = (now, 0)
        return since


_outages = Outages()


def report(error: Exception, *, request_id: str) -> None:
    """Writes to the server log what the caller is not told: unforeseen faults, the operator's
    faults.
    """
    if isinstance(error, ApiError):
        return
    rule = rule_for(type(error))
    fields = {"fields": {"request_id": request_id}}
    if rule is None:
        logger.error("Unforeseen failure", exc_info=error, extra=fields)
    elif rule.outage:
        name = type(error).__name__
        unsaid = _outages.unsaid(name)
        if unsaid is not None:
            more = f" ({unsaid} more since the last such line)" if unsaid else ""
            logger.error("%s: %s%s", name, error, more, extra=fields)
    elif rule.operators:
        logger.error("%s: %s", type(error).__name__, error, extra=fields)
    elif rule.status >= 500:
        logger.warning("%s: %s", type(error).__name__, error, extra=fields)


def error_response(error: Exception, *, request_id: str, path: str = "") -> HttpResponse:
    """The whole answer for a failure, logged where an operator should know of it.

    `path` is what follows `/v1`: it tells which dialect the caller speaks.
    """
    report(error, request_id=request_id)
    shown = api_error(error)
    status, body, headers = shown.status, shown.body(), shown.headers
    dialect = path.partition("/")[0]
    if dialect == "responses":
        body = in_words_of_responses(shown).body()
    elif dialect == "messages":
        status, body = in_words_of_anthropic(shown, request_id=request_id)
        headers = {**headers, "request-id": request_id}
    response = HttpResponse(body, status=status, content_type="application/json")
    for name, value in headers.items():
        response[name] = value
    return response


# --- Other dialects ---------------------------------------------------------------------------

# What a Responses request calls the fields of chat's that errors name.
_RESPONSES_FIELDS = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "logprobs": "include",
}

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


def in_words_of_responses(error: ApiError) -> ApiError:
    """The error with the field's name in `/v1/responses`."""
    param = _RESPONSES_FIELDS.get(error.param or "", error.param)
    return ApiError(
        error.message, param=param, code=error.code, status=error.status, type=error.type
    )


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
