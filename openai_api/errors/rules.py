"""Every failure of another package in OpenAI's terms: one table, a rule for each class.

Comes in: an exception of any package's tree. Goes out: an ApiError. The trees of the other packages
know no HTTP; `_RULES` maps each class, and a test walks the trees and fails on a class without a
rule.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import utils as django_db
from rest_framework import exceptions as drf

from catalog import errors as catalog
from keys import errors as keys
from openai_api.errors.texts import (
    PROMPT,
    context_text,
    field_named,
    final,
    kind_of_limit,
    needs_image_text,
    own_words,
    policy_text,
    quoted,
    retry_after,
    retry_after_if_named,
    spend_limit_text,
    until_midnight,
    until_reset,
    wrong_endpoint_text,
)
from openai_api.errors.tree import INVALID, SERVER, ApiError
from storage.errors import DatabaseUnavailable
from workers_ai import errors as upstream

# Stands for the field that upstream's message names.
NAMED = "(named)"
OPERATOR_NOTE = "The operator of this gateway has to look at it; the request id helps them."


@dataclass(frozen=True, slots=True)
class Rule:
    """How a class of failures is answered. `text` makes the message; None takes the error's own."""

    status: int
    type: str
    code: str | None
    text: Callable[[Exception], str] | str | None = None
    headers: Callable[[Exception], dict[str, str]] = field(default=lambda error: {})
    param: str | None = None
    operators: bool = False  # only the operator can mend it: logged as an error
    outage: bool = False  # for a while every request fails so: logged once in a period


_DATABASE = Rule(
    503, SERVER, "database_unavailable",
    "The gateway's database cannot be asked at the moment. Please try again shortly.",
    headers=lambda error: {"retry-after": "5"}, operators=True, outage=True,
)  # fmt: skip
# Without the second header some clients ask again for minutes, as if a new token were on its way.
_UNKNOWN_KEY = Rule(
    401, INVALID, "invalid_api_key",
    headers=lambda error: {"WWW-Authenticate": "Bearer", "x-should-retry": "false"},
)  # fmt: skip
_NOT_FOUND = Rule(404, INVALID, "model_not_found", param="model")
_WRONG_MODEL = Rule(400, INVALID, "model_not_supported", param="model")
_LIMIT = Rule(429, "requests", "rate_limit_exceeded", headers=retry_after)
_BUSY = Rule(
    429,
    "requests",
    "rate_limit_exceeded",
    "Workers AI is busy at the moment. Please try again in a few seconds.",
    headers=retry_after,
)
_OPERATOR = Rule(
    502, SERVER, "upstream_misconfigured",
    f"The gateway's own access to Workers AI was refused. {OPERATOR_NOTE}",
    headers=lambda error: {"x-should-retry": "false"}, operators=True,
)  # fmt: skip
_UPSTREAM = Rule(
    502, SERVER, "upstream_error", "Workers AI failed to answer this request.",
    headers=retry_after_if_named,
)  # fmt: skip
_TIMEOUT = Rule(504, SERVER, "upstream_timeout", "Workers AI did not answer in time.")

# Limits of requests or of tokens, which the type of the error tells.
_COUNTED = (keys.LimitReached, keys.CountUsedUp)

_RULES: dict[type[Exception], Rule | None] = {
    # keys
    keys.KeysError: Rule(500, SERVER, None, "The gateway could not handle this key."),
    keys.InvalidKey: _UNKNOWN_KEY,
    keys.NotPermitted: Rule(403, INVALID, "not_allowed"),
    keys.EndpointNotAllowed: Rule(403, INVALID, "endpoint_not_allowed"),
    keys.AddressNotAllowed: Rule(403, INVALID, "address_not_allowed"),
    keys.LimitReached: _LIMIT,
    keys.TokenRateReached: Rule(429, "tokens", "rate_limit_exceeded", headers=retry_after),
    keys.BudgetUsedUp: Rule(429, "insufficient_quota", "insufficient_quota", headers=until_reset),
    keys.CountUsedUp: Rule(429, "requests", "rate_limit_exceeded", headers=until_reset),
    keys.LedgerUnavailable: Rule(
        503, SERVER, "ledger_unavailable",
        "The gateway cannot record requests at the moment. Please try again shortly.",
        headers=lambda error: {"retry-after": "5"}, operators=True, outage=True,
    ),
    # Another try would be billed again.
    keys.NotRecordedInTime: Rule(
        503, SERVER, "ledger_unavailable",
        "The answer is ready, but cannot be given out: the gateway cannot record it at the moment.",
        headers=final, operators=True, outage=True,
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
        400, INVALID, "model_not_supported", wrong_endpoint_text, param="model"
    ),
    catalog.NotRunnable: _WRONG_MODEL,
    catalog.NeedsInputImage: Rule(
        400, INVALID, "model_not_supported", needs_image_text, param="model"
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
    upstream.BadInput: Rule(400, INVALID, "invalid_request", quoted, param=NAMED),
    upstream.LimitTooLarge: Rule(400, INVALID, "invalid_request", quoted, param="max_tokens"),
    upstream.SchemaUnmet: Rule(400, INVALID, "invalid_request", quoted, param="response_format"),
    upstream.ContextTooLong: Rule(
        400, INVALID, "context_length_exceeded", context_text, param=PROMPT
    ),
    upstream.ContentRefused: Rule(400, INVALID, "content_policy_violation", quoted),
    upstream.RequestTooLarge: Rule(
        413, INVALID, "request_too_large", "The request is larger than Workers AI takes."
    ),
    upstream.ModelMissing: Rule(404, INVALID, "model_not_found", quoted, param="model"),
    upstream.ModelNotForAccount: Rule(403, INVALID, "model_not_allowed", quoted, param="model"),
    upstream.TryAgainSoon: _BUSY,
    upstream.RateTaken: Rule(
        429, "requests", "rate_limit_exceeded", own_words, headers=retry_after
    ),
    upstream.AllocationUsedUp: Rule(
        429, "insufficient_quota", "insufficient_quota",
        "The Cloudflare account has used up its free neurons for today; they return at 00:00 UTC.",
        headers=until_midnight,
    ),
    upstream.SpendLimitReached: Rule(
        429, "insufficient_quota", "insufficient_quota", spend_limit_text, headers=final,
        operators=True, outage=True,
    ),
    upstream.PolicyDenied: Rule(
        403, INVALID, "policy_denied", policy_text, headers=final, operators=True, outage=True
    ),
    upstream.UpstreamTimedOut: _TIMEOUT,
    upstream.AccountFault: _OPERATOR,
    upstream.ServerFault: _UPSTREAM,
    upstream.Overloaded: Rule(
        503, SERVER, "overloaded",
        "Workers AI is overloaded at the moment. Please try again shortly.", headers=retry_after,
    ),
    # the database
    DatabaseUnavailable: _DATABASE,
    django_db.Error: _DATABASE,
    # A value that the database refuses is a fault of ours.
    django_db.DataError: None,
    django_db.IntegrityError: None,
    # Django REST framework
    drf.APIException: Rule(400, INVALID, None),
}  # fmt: skip


def known_failures() -> dict[int, set[str]]:
    """Every status that a failure can have, with its codes; some failures have none."""
    found: dict[int, set[str]] = {}
    classes: list[type[ApiError]] = [ApiError, *ApiError.__subclasses__()]
    known = [(own.status, own.code) for own in classes]
    known += [(rule.status, rule.code) for rule in _RULES.values() if rule is not None]
    for status, code in known:
        found.setdefault(status, set()).update(filter(None, [code]))
    return found


def rule_for(error_class: type[Exception]) -> Rule | None:
    """The rule of the nearest class in the error's ancestry; None for an unexpected error."""
    for ancestor in error_class.__mro__:
        if ancestor in _RULES:
            return _RULES[ancestor]
    return None


def api_error(error: Exception, *, prompt_param: str = "messages") -> ApiError:
    """Any failure in OpenAI's terms. An unexpected one is a 500 whose cause is only logged.

    `prompt_param` is the endpoint's name for its text, for errors about a text that is too long.
    """
    if isinstance(error, ApiError):
        return error
    rule = rule_for(type(error))
    if rule is None:
        return ApiError("The gateway failed to handle this request.", code="internal_error")
    text = rule.text(error) if callable(rule.text) else rule.text
    kind = kind_of_limit(error) if isinstance(error, _COUNTED) else rule.type
    param = field_named(error) or None if rule.param == NAMED else rule.param
    return ApiError(
        str(error) if text is None else text,
        status=rule.status,
        type=kind,
        code=rule.code,
        param=prompt_param if param == PROMPT else param,
        headers=rule.headers(error),
    )
