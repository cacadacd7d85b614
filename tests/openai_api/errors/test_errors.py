"""Every failure of a package has an answer in OpenAI's words, and none tells a secret."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db.utils import IntegrityError, OperationalError

from catalog import errors as catalog
from keys import errors as keys
from openai_api.errors import (
    ApiError,
    Outages,
    api_error,
    in_words_of_anthropic,
    report,
    rule_for,
)
from storage.errors import DatabaseUnavailable
from tests.openai_api.schemas import assert_error_body
from workers_ai import errors as upstream


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


TREES = [
    *(*tree(keys.KeysError), *tree(catalog.CatalogError), *tree(upstream.WorkersAIError)),
    *tree(DatabaseUnavailable),
]


@pytest.mark.parametrize("error_class", TREES, ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_every_class_has_a_rule_of_its_package(error_class: type[Exception]) -> None:
    rule = rule_for(error_class)
    assert rule is not None
    assert 400 <= rule.status < 600


def refused(error_class: type[upstream.Refused], **fields: Any) -> upstream.Refused:
    return error_class("upstream's own words", status=400, code=5006, **fields)


LIMIT = {"limit_value": 7, "retry_after_s": 2.2, "reset_at": 0.0}

CASES: list[tuple[Exception, int, str, str | None]] = [
    (keys.MissingKey(), 401, "invalid_request_error", "invalid_api_key"),
    (keys.RevokedKey(), 401, "invalid_request_error", "invalid_api_key"),
    (keys.ExpiredKey(), 401, "invalid_request_error", "invalid_api_key"),
    (keys.EndpointNotAllowed("chat", ()), 403, "invalid_request_error", "endpoint_not_allowed"),
    (keys.AddressNotAllowed("1.2.3.4"), 403, "invalid_request_error", "address_not_allowed"),
    (keys.RequestRateReached(**LIMIT), 429, "requests", "rate_limit_exceeded"),
    (keys.ConcurrencyReached(**LIMIT), 429, "requests", "rate_limit_exceeded"),
    (keys.TokenRateReached(**LIMIT), 429, "tokens", "rate_limit_exceeded"),
    (keys.LedgerFull(), 503, "server_error", "ledger_unavailable"),
    (keys.NotRecordedInTime(), 503, "server_error", "ledger_unavailable"),
    (DatabaseUnavailable("refused"), 503, "server_error", "database_unavailable"),
    (OperationalError("no such table: keys_key"), 503, "server_error", "database_unavailable"),
    (IntegrityError("UNIQUE constraint failed"), 500, "server_error", "internal_error"),
    (catalog.ModelNotFound("x"), 404, "invalid_request_error", "model_not_found"),
    (catalog.ModelRetired("x"), 404, "invalid_request_error", "model_not_found"),
    (catalog.ModelNotAllowed("x"), 403, "invalid_request_error", "model_not_allowed"),
    (
        catalog.WrongEndpoint("x", "chat", {"images"}),
        400,
        "invalid_request_error",
        "model_not_supported",
    ),
    (
        catalog.NeedsInputImage("x", "images", "it needs a picture"),
        400,
        "invalid_request_error",
        "model_not_supported",
    ),
    (catalog.CatalogEmpty(), 503, "server_error", "catalog_empty"),
    (refused(upstream.BadInput), 400, "invalid_request_error", "invalid_request"),
    (refused(upstream.ContextTooLong), 400, "invalid_request_error", "context_length_exceeded"),
    (refused(upstream.ContentRefused), 400, "invalid_request_error", "content_policy_violation"),
    (refused(upstream.RequestTooLarge), 413, "invalid_request_error", "request_too_large"),
    (refused(upstream.ModelMissing), 404, "invalid_request_error", "model_not_found"),
    (refused(upstream.ModelNotForAccount), 403, "invalid_request_error", "model_not_allowed"),
    (refused(upstream.RateReached), 429, "requests", "rate_limit_exceeded"),
    (refused(upstream.NoCapacity), 429, "requests", "rate_limit_exceeded"),
    (refused(upstream.AllocationUsedUp), 429, "insufficient_quota", "insufficient_quota"),
    (refused(upstream.UpstreamTimedOut), 504, "server_error", "upstream_timeout"),
    (refused(upstream.AccountFault), 502, "server_error", "upstream_misconfigured"),
    (refused(upstream.ServerFault), 502, "server_error", "upstream_error"),
    (upstream.TimedOut("idle", 1), 504, "server_error", "upstream_timeout"),
    (upstream.Unreachable("x", sent=True), 502, "server_error", "upstream_unreachable"),
    (upstream.StreamCut("x"), 502, "server_error", "upstream_cut"),
    (upstream.UnusableAnswer("x"), 502, "server_error", "upstream_empty"),
    (ZeroDivisionError("secret"), 500, "server_error", "internal_error"),
]


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"), CASES, ids=lambda v: type(v).__name__ if v else ""
)
def test_a_failure_has_its_status_and_openais_words(
    error: Exception, status: int, kind: str, code: str | None
) -> None:
    shown = api_error(error)
    assert (shown.status, shown.type, shown.code) == (status, kind, code)
    assert_error_body(orjson.loads(shown.body()))


@pytest.mark.parametrize(
    "error",
    [
        refused(upstream.AccountFault),
        refused(upstream.ServerFault),
        refused(upstream.AllocationUsedUp),
        refused(upstream.NoCapacity),
        refused(upstream.RequestTooLarge),
        ZeroDivisionError("upstream's own words"),
    ],
)
def test_what_is_not_the_callers_business_is_not_quoted(error: Exception) -> None:
    assert "own words" not in api_error(error).message


@pytest.mark.parametrize("error_class", [upstream.BadInput, upstream.ContextTooLong])
def test_upstreams_reason_is_quoted_where_it_is_about_the_request(
    error_class: type[upstream.Refused],
) -> None:
    assert "upstream's own words" in api_error(refused(error_class)).message


@pytest.mark.parametrize(
    ("error", "retry_after"),
    [
        (refused(upstream.NoCapacity), "1"),
        (refused(upstream.NoCapacity, retry_after_s=3.2), "4"),
        (refused(upstream.NoCapacity, retry_after_s=0), "1"),
        (refused(upstream.ServerFault, retry_after_s=5), "5"),
        (keys.RequestRateReached(**LIMIT), "3"),
    ],
)
def test_busy_says_when_to_come_back(error: Exception, retry_after: str) -> None:
    headers = api_error(error).headers
    assert headers["retry-after"] == retry_after
    assert "x-should-retry" not in headers


def test_used_up_says_that_coming_back_today_is_useless() -> None:
    headers = api_error(refused(upstream.AllocationUsedUp)).headers
    assert headers["x-should-retry"] == "false"
    assert 0 < int(headers["retry-after"]) <= 86_400


def test_an_unknown_key_is_challenged() -> None:
    for error in (keys.MissingKey(), keys.ExpiredKey(), keys.OwnerInactive()):
        headers = api_error(error).headers
        assert headers == {"WWW-Authenticate": "Bearer", "x-should-retry": "false"}


def test_a_wrong_endpoint_names_the_right_path() -> None:
    error = catalog.WrongEndpoint("x", "chat", {"images"})
    assert "POST /v1/images/generations" in api_error(error).message


def test_a_message_with_half_a_character_can_be_sent() -> None:
    body = orjson.loads(ApiError("a\ud83d").body())
    assert body["error"]["message"].startswith("a")


def test_an_outage_is_said_once_a_period_with_what_came_meanwhile() -> None:
    now = 0.0
    outages = Outages(clock=lambda: now)
    assert [outages.unsaid("LedgerFull") for _ in range(4)] == [0, None, None, None]
    assert outages.unsaid("Unreachable") == 0, "another failure has a line of its own"
    now = Outages.EVERY_S
    assert [outages.unsaid("LedgerFull") for _ in range(2)] == [3, None]


def test_only_the_first_of_many_refusals_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openai_api.errors.reporting._outages", Outages())
    for number in range(50):
        report(keys.LedgerUnavailable("no database"), request_id=str(number))
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("status", "sent", "type"),
    [
        (400, 400, "invalid_request_error"),
        (401, 401, "authentication_error"),
        (403, 403, "permission_error"),
        (404, 404, "not_found_error"),
        (405, 405, "invalid_request_error"),
        (413, 413, "request_too_large"),
        (429, 429, "rate_limit_error"),
        (500, 500, "api_error"),
        (502, 502, "api_error"),
        (503, 529, "overloaded_error"),
        (504, 504, "timeout_error"),
    ],
)
def test_every_status_has_anthropics_type(status: int, sent: int, type: str) -> None:
    told, body = in_words_of_anthropic(ApiError("Oh.", status=status), request_id="req_1")
    assert told == sent
    assert orjson.loads(body) == {
        "type": "error",
        "error": {"type": type, "message": "Oh."},
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (
            upstream.TokenCounts(128_000, 140_000, 108_000),
            "you requested 140000 tokens (108000 in the messages, 32000 in the completion). "
            "Please reduce the length of the messages or completion.",
        ),
        (
            upstream.TokenCounts(128_000, None, 108_000, 32_000),
            "you requested 140000 tokens (108000 in the messages, 32000 in the completion). "
            "Please reduce the length of the messages or completion.",
        ),
        (
            upstream.TokenCounts(128_000, None, 108_000),
            "your messages resulted in 108000 tokens, which leaves 20000 of them for the "
            "completion. Please reduce the length of the messages or completion.",
        ),
        (
            upstream.TokenCounts(128_000, None, 130_000),
            "your messages resulted in 130000 tokens. Please reduce the length of the messages.",
        ),
        (
            upstream.TokenCounts(128_000, 140_000),
            "you requested 140000 tokens, the completion's limit included. Please reduce the "
            "length of the messages or completion.",
        ),
    ],
)
def test_what_is_too_long_is_told_in_openais_sentence(
    counts: upstream.TokenCounts, told: str
) -> None:
    error = upstream.ContextTooLong("too long", status=413, code=5021, tokens=counts)
    start = "This model's maximum context length is 128000 tokens. However, "
    assert api_error(error).message == start + told
