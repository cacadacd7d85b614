"""A failure body of Cloudflare's → the class that says what to do about it."""

from typing import Any

import pytest

from workers_ai import errors
from workers_ai.errors import Refused, first_error, readable, refusal

UUID = "51afe8c9-9139-446e-9284-928af8ee842d"

# Every code that is documented or was seen, with the HTTP status that comes with it.
CODES: list[tuple[int, int, type[Refused]]] = [
    (3003, 400, errors.BadInput),
    (3006, 413, errors.RequestTooLarge),
    (3007, 408, errors.UpstreamTimedOut),
    (3008, 408, errors.UpstreamTimedOut),
    (3023, 403, errors.AccountFault),
    (3036, 429, errors.AllocationUsedUp),
    (3039, 400, errors.BadInput),
    (3040, 429, errors.NoCapacity),
    (3041, 403, errors.ModelNotForAccount),
    (3042, 404, errors.ModelMissing),
    (5004, 400, errors.BadInput),
    (5005, 405, errors.BadInput),
    (5007, 400, errors.ModelMissing),
    (5016, 403, errors.ModelNotForAccount),
    (5018, 403, errors.ModelNotForAccount),
    (5019, 405, errors.ServerFault),
    (5035, 403, errors.ModelNotForAccount),
    (4006, 429, errors.AllocationUsedUp),
    (3021, 429, errors.RateReached),
    (3021, 500, errors.RateReached),
    (3010, 413, errors.ContextTooLong),
    (5021, 413, errors.ContextTooLong),
    (3030, 400, errors.ContentRefused),
    (3046, 408, errors.UpstreamTimedOut),
    (5006, 400, errors.BadInput),
    (5028, 410, errors.ModelMissing),
    (8001, 400, errors.BadInput),
    (8005, 500, errors.ServerFault),
    (8006, 400, errors.BadInput),
    (8008, 500, errors.ServerFault),
    (7000, 500, errors.ServerFault),
    (7001, 405, errors.ServerFault),
    (7003, 404, errors.AccountFault),
    (7009, 503, errors.ServerFault),
    (9106, 400, errors.AccountFault),
    (9109, 401, errors.AccountFault),
    (10000, 401, errors.AccountFault),
    (10000, 403, errors.AccountFault),
    (2001, 400, errors.AccountFault),
    (2008, 400, errors.AccountFault),
]


def failure(code: Any = 5006, message: str = "Bad input") -> dict[str, Any]:
    return {"errors": [{"message": message, "code": code}], "success": False, "result": {}}


@pytest.mark.parametrize(("code", "status", "error_class"), CODES)
def test_each_code_has_its_class(code: int, status: int, error_class: type[Refused]) -> None:
    error = refusal(failure(code), status=status)
    assert type(error) is error_class
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (400, errors.BadInput),
        (401, errors.AccountFault),
        (402, errors.AccountFault),
        (403, errors.AccountFault),
        (404, errors.ModelMissing),
        (408, errors.UpstreamTimedOut),
        (409, errors.TryAgainSoon),
        (410, errors.ModelMissing),
        (413, errors.RequestTooLarge),
        (418, errors.BadInput),
        (422, errors.BadInput),
        (429, errors.TryAgainSoon),
        (500, errors.ServerFault),
        (502, errors.ServerFault),
        (504, errors.UpstreamTimedOut),
        (529, errors.ServerFault),
        (200, errors.ServerFault),
    ],
)
@pytest.mark.parametrize("body", [None, {}, failure(99999), [], "x"])
def test_an_unknown_code_reads_by_its_status(
    body: Any, status: int, error_class: type[Refused]
) -> None:
    assert type(refusal(body, status=status)) is error_class


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"code": 3040, "message": "busy"}]},
        {"errors": [{"code": "3040", "message": "busy"}]},
        {"errors": {"code": 3040, "message": "busy"}, "result": None},
        {"errors": {"code": "3040", "message": "busy"}},
        {"errors": [{"code": 3040, "message": "busy"}, {"code": 5006, "message": "x"}]},
        {"error": {"code": 3040, "message": "busy"}},
        {"errors": [{"message": "3040: busy"}]},
        {"errors": [{"message": "AiError: 3040: busy"}]},
        {"errors": [], "error": {"code": 3040, "message": "busy"}},
    ],
)
def test_errors_may_be_a_list_an_object_or_in_the_text(body: Any) -> None:
    error = refusal(body, status=429)
    assert type(error) is errors.NoCapacity
    assert error.message == "busy"


def test_anthropics_shape_is_read_too() -> None:
    body = {"type": "error", "error": {"type": "not_found_error", "message": "no model"}}
    assert refusal(body, status=404).message == "no model"


@pytest.mark.parametrize("number", ["8080", "1024", "99999", "123"])
def test_a_number_in_the_text_that_is_no_code_is_text(number: str) -> None:
    assert first_error(failure(None, f"port {number}: closed")) == (None, f"port {number}: closed")


@pytest.mark.parametrize("code", [True, None, [], {}, "abc", 1.5])
def test_a_code_that_is_no_number_is_none(code: Any) -> None:
    assert first_error(failure(code, "text"))[0] is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"AiError: Bad input: Error: x ({UUID})", "Bad input: Error: x"),
        (f"AiError: AiError: x ({UUID})", "x"),
        ("3040: Capacity temporarily exceeded", "Capacity temporarily exceeded"),
        ("x (see 4)", "x (see 4)"),
        ("", ""),
    ],
)
def test_upstreams_decorations_are_taken_off(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_a_body_without_text_says_the_status() -> None:
    assert "503" in refusal(None, status=503).message


@pytest.mark.parametrize(
    "text",
    [
        "AiError: This model's maximum context length is 24000 tokens",
        "The estimated number of input tokens exceeded this model context window limit (24000).",
    ],
)
def test_a_full_context_is_told_by_its_text(text: str) -> None:
    assert type(refusal(failure(None, text), status=400)) is errors.ContextTooLong


def test_a_failed_json_mode_inside_a_success_is_the_requests_fault() -> None:
    body = failure(5024, "AiError: JSON Mode couldn't be met")
    assert type(refusal(body, status=200)) is errors.BadInput
