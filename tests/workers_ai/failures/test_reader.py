"""A failure body of Cloudflare's → the class that says what to do about it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors
from workers_ai.errors import Refused
from workers_ai.failures.body import Failure, read, readable
from workers_ai.failures.reader import BY_CODE, refusal

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
    (5016, 403, errors.LicenceNotAccepted),
    (5018, 403, errors.ModelNotForAccount),
    (5019, 405, errors.ServerFault),
    (5035, 403, errors.ModelNotForAccount),
    (4006, 429, errors.AllocationUsedUp),
    (3021, 429, errors.RateReached),
    (3021, 500, errors.RateReached),
    (3010, 413, errors.ContextTooLong),
    (5021, 413, errors.ContextTooLong),
    (3010, 400, errors.BadInput),
    (3030, 400, errors.BadInput),
    (8007, 400, errors.BadInput),
    (5023, 400, errors.BadInput),
    (5024, 403, errors.SchemaUnmet),
    (9015, 400, errors.BadInput),
    (2009, 401, errors.AccountFault),
    (2016, 424, errors.ContentRefused),
    (2017, 424, errors.ContentRefused),
    (2021, 402, errors.AccountFault),
    (2041, 429, errors.SpendLimitReached),
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
        (529, errors.Overloaded),
        (200, errors.ServerFault),
    ],
)
@pytest.mark.parametrize("body", [None, {}, failure(99999), [], "x"])
def test_an_unknown_code_reads_by_its_status(
    body: Any, status: int, error_class: type[Refused]
) -> None:
    if status == 404 and not isinstance(body, dict | list):
        error_class = errors.AccountFault  # no path of Cloudflare's
    assert type(refusal(body, status=status)) is error_class


@pytest.mark.parametrize("status", [301, 308, 404])
def test_another_servers_answer_asks_about_the_base_url(status: int) -> None:
    error = refusal("<html><title>Not here</title></html>", status=status)
    assert type(error) is errors.AccountFault
    assert "CLOUDFLARE_API_BASE_URL" in error.message
    known = refusal("No such model @cf/a/b or task", status=404)
    assert type(known) is errors.ModelMissing


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
    text = f"port {number}: closed"
    assert read(failure(None, text), BY_CODE) == Failure(text=text)


@pytest.mark.parametrize("code", [True, None, [], {}, "abc", 1.5])
def test_a_code_that_is_no_number_is_none(code: Any) -> None:
    assert read(failure(code, "text"), BY_CODE).code is None


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
    assert type(refusal(body, status=200)) is errors.SchemaUnmet


# --- Shapes -----------------------------------------------------------------------------------

SPEND = "Spend limit exceeded: rule 'r1' (cost limit 100 per 604800s, sliding)"
FLAT = {
    "name": "AiError",
    "internalCode": 4006,
    "httpCode": 429,
    "message": f"AiError: AiError: you have used up your daily free allocation of 10,000 "
    f"neurons, please upgrade ({UUID})",
    "description": "you have used up your daily free allocation",
    "requestId": UUID,
}
LISTED = {
    "success": False,
    "result": [],
    "messages": [],
    "error": [{"code": 2041, "message": SPEND}],
    "name": "AiGatewayError",
    "httpCode": 429,
    "internalCode": 2041,
}
BARE = {
    "object": "error",
    "message": "This model's maximum context length is 32768 tokens. However, you requested 40000 "
    "tokens (36000 in the messages, 4000 in the completion).",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}


def test_ai_gateways_flat_form_is_read() -> None:
    error = refusal(FLAT, status=429)
    assert type(error) is errors.AllocationUsedUp
    assert error.code == 4006
    assert error.message.startswith("you have used up")
    assert not error.message.endswith(")")


def test_ai_gateways_list_is_read() -> None:
    error = refusal(LISTED, status=429)
    assert type(error) is errors.SpendLimitReached
    assert (error.code, error.message) == (2041, SPEND)


def test_the_inference_servers_bare_form_is_read() -> None:
    error = refusal(BARE, status=400)
    assert type(error) is errors.ContextTooLong
    assert error.code is None
    assert error.tokens == errors.TokenCounts(32768, 40000, 36000, 4000)


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (403, {"message": "Access denied by policy"}, errors.PolicyDenied),
        (
            429,
            {"message": "Spending limit exceeded", "bucket": "user:1", "spent": 5, "limit": 5},
            errors.SpendLimitReached,
        ),
    ],
)
def test_ai_gateways_policies_say_no_code(
    status: int, body: dict[str, Any], error_class: type[Refused]
) -> None:
    assert type(refusal({"success": False, "error": body}, status=status)) is error_class


INNER = {
    "object": "error",
    "message": "Requested token count exceeds the model's maximum context length of 262144 tokens. "
    "You requested a total of 263925 tokens: 199925 tokens from the input messages and 64000 "
    "tokens for the completion. Please reduce the number of tokens.",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda text: failure(8007, f"AiError: AiError: {text} ({UUID})"),
        lambda text: failure(8007, f'AiError: {{"error": {text}}} ({UUID})'),
        lambda text: {"error": f"Upstream returned HTTP 400: {text}"},
        lambda text: {**FLAT, "internalCode": 8007, "message": f"AiError: {text}"},
        lambda text: f"InferenceUpstreamError: {text}",
        lambda text: failure(8007, json.dumps(failure(8007, f"AiError: {text}"))),
        lambda text: f"[{text}]",
    ],
)
def test_json_inside_the_text_is_read_to_the_innermost_words(wrapped: Any) -> None:
    error = refusal(wrapped(json.dumps(INNER)), status=400)
    assert type(error) is errors.ContextTooLong
    assert error.message == INNER["message"]
    assert error.tokens == errors.TokenCounts(262144, 263925, 199925, 64000)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detail": "Field required"}, "Field required"),
        (
            {"detail": [{"loc": ["body", "messages"], "msg": "Field required", "type": "missing"}]},
            "body.messages: Field required",
        ),
        ({"success": False, "errors": "no luck", "result": None}, "no luck"),
        ({"success": False, "errors": ["first", "second"]}, "first"),
        ({"success": False, "errors": [{"code": 1}, {"message": "second"}]}, "second"),
        ({"success": False, "result": {"message": "inside"}, "errors": []}, "inside"),
        ({"error": {"error": {"error": {"message": "deep"}}}}, "deep"),
        ({"statusCode": 500, "error": "Internal", "reason": "why"}, "why"),
        ("upstream connect error or disconnect", "upstream connect error or disconnect"),
        ("<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway"),
        (
            failure(5006, 'Bad input: {"city": "Oslo"} is no list'),
            'Bad input: {"city": "Oslo"} is no list',
        ),
    ],
)
def test_unknown_shapes_keep_their_words(body: Any, words: str) -> None:
    assert refusal(body, status=400).message == words


def test_a_body_that_nests_without_end_is_given_up() -> None:
    body: Any = {"message": "too deep"}
    for _ in range(200):
        body = {"error": body}
    assert "400" in refusal(body, status=400).message


# --- What is said counts first ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "text", "error_class"),
    [
        (2029, 400, "Request content blocked due to DLP policy violations", errors.ContentRefused),
        (None, 403, "The prompt violates our content rules", errors.BadInput),
        (8007, 400, "The prompt violates our usage policy", errors.ContentRefused),
        (5007, 400, "No such model @cf/a/moderation-guardrail or task", errors.ModelMissing),
        (None, 400, "The model `@cf/a/b` does not exist", errors.ModelMissing),
        (8005, 500, "cannot identify image file", errors.BadInput),
        (8005, 500, "Internal server error", errors.ServerFault),
        (8004, 500, "Operation timed out", errors.UpstreamTimedOut),
        (None, 524, "A timeout occurred", errors.UpstreamTimedOut),
        (None, 429, "You have exceeded your daily limit", errors.AllocationUsedUp),
        (None, 429, "Quota exceeded for today", errors.AllocationUsedUp),
        (6003, 400, "Invalid request headers", errors.AccountFault),
        (None, 403, "error code: 1010", errors.AccountFault),
        (8007, 400, "Input length 30000 exceeds the maximum allowed 24000", errors.ContextTooLong),
        (8007, 400, "Input text too long: 9000 tokens > 8192", errors.ContextTooLong),
        (
            8007,
            400,
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
            errors.ContextTooLong,
        ),
        (8007, 400, "max_tokens: 64000 > 32000, the maximum", errors.LimitTooLarge),
        (8007, 400, "the valid range of max_tokens is [1, 8192]", errors.LimitTooLarge),
        (3030, 400, "Input text exceeds maximum character limit of 2000.", errors.BadInput),
        (
            3030,
            400,
            "AiError: Max context reached 80030 tokens but model supports only 60000",
            errors.ContextTooLong,
        ),
        (3030, 400, "Input text exceeds maximum character limit of 2000.", errors.BadInput),
        (3030, 400, "Your output has been flagged. Choose another prompt", errors.ContentRefused),
        (
            3010,
            400,
            "Invalid or incomplete input for the model: model returned: unexpected shape "
            "for input 'image'",
            errors.BadInput,
        ),
        (
            3010,
            400,
            "The estimated number of input and maximum output tokens (35000) exceeded this "
            "model context window limit (24000).",
            errors.ContextTooLong,
        ),
        (8007, 400, "AiError: AiError: Input prompt contains NSFW content.", errors.ContentRefused),
        (8007, 400, "System message must be at the beginning.", errors.BadInput),
        (5024, 403, "AiError: JSON Model couldn't be met", errors.SchemaUnmet),
        (None, 403, "The schema is not supported", errors.BadInput),
        (99999, 403, "Type mismatch of '/messages/0/content'", errors.BadInput),
        (99999, 403, "Account is suspended", errors.AccountFault),
        (None, 403, "Forbidden", errors.AccountFault),
        (
            None,
            402,
            "Insufficient balance; add money to your gateway or use BYOK",
            errors.AccountFault,
        ),
        (2016, 424, "Prompt blocked due to security configurations", errors.ContentRefused),
        (
            None,
            400,
            "max_completion_tokens is too large: 262144. This model supports at most 256000 "
            "completion tokens.",
            errors.LimitTooLarge,
        ),
        (3003, 500, "rate limiting: inference request per min rate reached", errors.RateReached),
        (None, 503, "The engine is currently overloaded", errors.NoCapacity),
        (None, 400, "Unknown recipient: <|constrain|>get_weather", errors.ServerFault),
        (
            5016,
            403,
            "Prior to using this model, you must submit the prompt 'agree'",
            errors.LicenceNotAccepted,
        ),
        (8001, 400, "max_tokens is invalid: must be positive", errors.BadInput),
    ],
)
def test_the_words_choose_before_the_code(
    code: int | None, status: int, text: str, error_class: type[Refused]
) -> None:
    assert type(refusal(failure(code, text), status=status)) is error_class


def test_a_403_without_words_is_the_operators() -> None:
    for body in (None, {}, []):
        assert type(refusal(body, status=403)) is errors.AccountFault


# A prompt quoted in a failure must not decide what the failure is.
@pytest.mark.parametrize(
    "quoted",
    ["daily free allocation", "Spend limit exceeded", "Access denied by policy", "rate limited"],
)
def test_words_of_another_status_do_not_choose(quoted: str) -> None:
    error = refusal(failure(5006, f"Bad input: '{quoted}' is not one of the values"), status=400)
    assert type(error) is errors.BadInput


# --- Properties -----------------------------------------------------------------------------------

WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="{}[]<>:()'/\""), min_size=3, max_size=60
).filter(lambda text: text.strip() == text and readable(text) == text)
SHAPES: list[Any] = [
    lambda code, text, status: {"errors": [{"message": text, "code": code}], "success": False},
    lambda code, text, status: {"errors": {"message": text, "code": code}, "result": None},
    lambda code, text, status: {"success": False, "errors": [text], "result": None},
    lambda code, text, status: {"error": {"message": text, "code": code}},
    lambda code, text, status: {"error": text},
    lambda code, text, status: {"error": [{"message": text, "code": code}], "httpCode": status},
    lambda code, text, status: {
        "name": "AiError",
        "internalCode": code,
        "httpCode": status,
        "message": f"AiError: {text} ({UUID})",
    },
    lambda code, text, status: {"object": "error", "message": text, "code": status, "type": "x"},
    lambda code, text, status: {"detail": text},
]


@given(
    shape=st.sampled_from(SHAPES),
    around=st.lists(st.sampled_from(["text", "error", "envelope"]), max_size=2),
    code=st.one_of(st.none(), st.sampled_from(sorted(BY_CODE)), st.integers(1000, 99_999)),
    text=WORDS,
    status=st.sampled_from([200, 400, 401, 402, 403, 404, 408, 413, 422, 424, 429, 500, 503, 504]),
)
def test_no_shape_loses_the_words(
    shape: Any, around: list[str], code: int | None, text: str, status: int
) -> None:
    body = shape(code, text, status)
    for wrap in around:
        if wrap == "text":
            body = failure(None, f"AiError: {json.dumps(body)} ({UUID})")
        else:
            body = {"error": body} if wrap == "error" else {"success": False, "errors": [body]}
    error = refusal(body, status=status)
    assert error.message == text
    if type(error) is errors.AccountFault:
        assert status in (401, 402, 403) or BY_CODE.get(error.code or 0) is errors.AccountFault


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["errors", "error", "message", "code", "detail", "result", "x"]),
                inner,
            )
        ),
        max_leaves=25,
    ),
    st.integers(200, 599),
)
def test_any_body_is_read(body: Any, status: int) -> None:
    error = refusal(body, status=status)
    assert error.message
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "words", "error_class"),
    [
        (400, "No.", errors.BadInput),
        (401, "Incorrect key provided: sk-1", errors.AccountFault),
        (402, "Payment required", errors.AccountFault),
        (403, "You have no access here", errors.AccountFault),
        (403, "The schema is too deep", errors.BadInput),
        (404, "There is no such thing", errors.ModelMissing),
        (413, "Too much", errors.RequestTooLarge),
        (422, "No.", errors.BadInput),
        (429, "Slow down", errors.TryAgainSoon),
        (500, "Oh", errors.ServerFault),
    ],
)
def test_a_kind_that_contradicts_the_status_does_not_count(
    status: int, words: str, error_class: type[Refused]
) -> None:
    said = {"error": {"message": words, "type": "invalid_request_error", "code": None}}
    assert type(refusal(said, status=status)) is error_class
