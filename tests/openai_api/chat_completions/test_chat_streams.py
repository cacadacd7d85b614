"""`POST /v1/chat/completions` streamed, for every kind of backend and every way to end."""

import asyncio
import json
import time

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import (
    LEGACY,
    OPENAI,
    REASONING,
    SGLANG,
    THINK,
    THINK_UNOPENED,
    VLLM,
    WEATHER_TOOL,
    Streamed,
    chat_body,
    events,
    new_id,
    opened,
    post,
    stream,
)
from workers_ai.simulator.serve import RunningSimulator

EVERY_DIALECT = [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED]


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_a_stream_is_strict_whatever_the_backend(client: httpx.Client, model: str) -> None:
    seen = stream(client, "Say 1 blue 42 birds", model=model)
    assert seen.text == "1 blue 42 birds"
    assert seen.finish_reason == "stop"
    assert seen.dones == 1
    assert seen.chunks[0]["model"] == model


@pytest.mark.parametrize("model", [VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED])
def test_streamed_thoughts_come_as_reasoning_content(client: httpx.Client, model: str) -> None:
    seen = stream(client, "Say hello", model=model)
    assert seen.text == "hello"
    assert seen.reasoning.strip()
    assert "think>" not in seen.reasoning


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG, REASONING])
def test_a_streamed_tool_call_is_whole(client: httpx.Client, model: str) -> None:
    seen = stream(client, "What is the weather in Paris?", model=model, tools=[WEATHER_TOOL])
    [(name, arguments)] = seen.calls
    assert name == "get_weather"
    assert json.loads(arguments) == {"location": "Paris"}
    assert seen.finish_reason == "tool_calls"


def test_usage_comes_when_it_is_asked_for(client: httpx.Client) -> None:
    seen = stream(client, stream_options={"include_usage": True})
    assert seen.usage is not None
    assert seen.usage["completion_tokens"] > 0


def test_usage_stays_away_when_nobody_asked(client: httpx.Client) -> None:
    seen = stream(client)
    assert all("usage" not in chunk for chunk in seen.chunks)


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_a_stream_has_its_row(gateway: GatewayProcess, client: httpx.Client, model: str) -> None:
    request_id = new_id()
    seen = stream(
        client,
        model=model,
        request_id=request_id,
        user="ada",
        stream_options={"include_usage": True},
    )
    assert seen.usage is not None
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.end_reason, row.finish_reason) == (200, "complete", "stop")
    assert (row.endpoint, row.stream, row.attempts, row.user) == ("chat", True, 1, "ada")
    assert (row.requested_model, row.model) == (model, model)
    assert row.usage_source == "upstream"
    assert row.prompt_tokens == seen.usage["prompt_tokens"]
    assert row.completion_tokens == seen.usage["completion_tokens"]
    # The legacy model has no price, and upstream says itself that it billed nothing.
    assert row.cost_nano_usd == 0 if model == LEGACY else row.cost_nano_usd
    assert row.ttft_ms is not None
    assert row.ttft_ms <= row.duration_ms


def test_the_row_is_there_before_done(gateway: GatewayProcess, client: httpx.Client) -> None:
    request_id = new_id()
    with opened(client, chat_body(), request_id=request_id) as (response, seen):
        for _ in events(response, seen):
            if seen.dones:
                assert len(gateway.rows(request_id=request_id)) == 1
    assert seen.dones == 1


def test_a_chunk_leaves_as_soon_as_it_is_made(client: httpx.Client) -> None:
    """Upstream goes silent for good after the second event, and the word in it is there."""
    with opened(client, chat_body("6 words [simulate stall after=2]")) as (response, seen):
        for _ in events(response, seen):
            # Both events may come in one chunk, when they reach the gateway in one piece.
            if seen.text:
                break
    assert seen.text and not seen.dones and not seen.errors


def test_a_stream_is_not_to_be_buffered_by_proxies(client: httpx.Client) -> None:
    seen = stream(client)
    assert seen.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert seen.headers["cache-control"] == "no-cache"
    assert seen.headers["x-accel-buffering"] == "no"
    assert int(seen.headers["openai-processing-ms"]) >= 0


# --- Quirks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        ("legacy-chunks", "Hello world"),
        ("batched-legacy-chunks", "Hello world"),
        ("number-deltas", "6 0.50 3.10 3e+50 155724 true false "),
        ("number-deltas-legacy", "155724 0.50 3e+50 true"),
        ("no-index", "**Bold**"),
        ("bare-deltas", "**Bold**"),
        ("changing-id", "Seen."),
        ("usage-increments", "Hi!"),
        ("usage-cumulative", "Hi!"),
        ("trailing-legacy-usage", "Hi!"),
        ("empty-choices-usage", "Hi!"),
        ("sglang-frames", "Hi!"),
        ("reasoning-field", "Hi!"),
        ("reasoning-field field=reasoning_content", "Hi!"),
        ("moondream-events", "Network Settings"),
        ("one-delta", "All of it at once."),
        ("finish-reason value=other", "Hi!"),
        ("no-finish-reason", "Hi!"),
        ("finish-on-usage", "Hi!"),
        ("no-done", "Hi!"),
        ("double-done", "Hi!"),
        ("json-for-stream", "Not a stream."),
        ("json-for-stream shape=legacy", "Not a stream."),
        ("empty-tool-calls", "hi there"),
    ],
)
def test_an_odd_stream_comes_out_strict(client: httpx.Client, scenario: str, text: str) -> None:
    seen = stream(client, f"Say it [simulate {scenario}]")
    assert seen.text == text
    assert seen.finish_reason == "stop"


@pytest.mark.parametrize(
    "scenario",
    [
        "garbage-lines",
        "glued-events",
        "crlf",
        "comments",
        "event-and-id-lines",
        "no-space",
        "multi-line-data",
        "no-last-newline",
        "split-bytes",
        "clumped",
    ],
)
def test_bytes_that_fall_oddly_change_nothing(client: httpx.Client, scenario: str) -> None:
    seen = stream(client, f"Say żółw 7 🐢🐢 [simulate {scenario}]")
    assert seen.text == "żółw 7 🐢🐢"
    assert seen.finish_reason == "stop"


@pytest.mark.parametrize("model", [THINK, THINK_UNOPENED])
@pytest.mark.parametrize("scenario", ["inline-think", "inline-think-legacy"])
def test_inline_thoughts_are_told_apart(client: httpx.Client, model: str, scenario: str) -> None:
    seen = stream(client, f"Say it [simulate {scenario}]", model=model)
    assert seen.reasoning.strip() == "We need to greet."
    assert seen.text == "Hi!"


@pytest.mark.parametrize(
    ("scenario", "calls"),
    [
        ("flat-tool-call", 1),
        ("top-level-tool-call", 1),
        ("unindexed-tool-calls", 2),
        ("null-sentinel-tool-call", 1),
        ("repeated-tool-id", 1),
        ("stop-with-tool-call", 1),
    ],
)
def test_odd_streamed_calls_come_out_strict(
    client: httpx.Client, scenario: str, calls: int
) -> None:
    seen = stream(
        client, f"What is the weather in Paris? [simulate {scenario}]", tools=[WEATHER_TOOL]
    )
    assert len(seen.calls) == calls
    for name, arguments in seen.calls:
        assert name == "get_weather"
        assert json.loads(arguments) == {"location": "Paris"}
    assert seen.finish_reason == "tool_calls"


@pytest.mark.parametrize("form", ["flat", "arguments", "list"])
def test_a_forced_call_that_leaked_into_the_stream_is_a_call(
    client: httpx.Client, form: str
) -> None:
    seen = stream(
        client,
        f"What is the weather in Paris? [simulate leaked-tool-call form={form}]",
        tools=[WEATHER_TOOL],
        tool_choice="required",
    )
    [(name, arguments)] = seen.calls
    assert (name, json.loads(arguments)) == ("get_weather", {"location": "Paris"})
    assert seen.text == ""


@pytest.mark.parametrize(
    ("scenario", "prompt", "completion"),
    [
        ("usage-increments", 14, 3),
        ("usage-cumulative", 13, 4),
        ("trailing-legacy-usage", 14, 16),
        ("empty-choices-usage", 14, 16),
        ("double-done", 14, 16),
        ("finish-on-usage", 14, 16),
    ],
)
def test_each_way_to_report_usage_gives_one_figure(
    gateway: GatewayProcess, client: httpx.Client, scenario: str, prompt: int, completion: int
) -> None:
    request_id = new_id()
    stream(client, f"Say it [simulate {scenario}]", request_id=request_id)
    row = gateway.row(request_id)
    assert (row.prompt_tokens, row.completion_tokens) == (prompt, completion)
    assert row.usage_source == "upstream"


@pytest.mark.parametrize("value", ["length", "model_length", "MAX_TOKENS"])
def test_every_word_for_a_cut_answer_is_length(client: httpx.Client, value: str) -> None:
    assert stream(client, f"Hi [simulate finish-reason value={value}]").finish_reason == "length"


def test_of_two_finishes_the_last_counts(client: httpx.Client) -> None:
    assert stream(client, "Hi [simulate two-finishes]").finish_reason == "length"


def test_thoughts_alone_end_with_length(client: httpx.Client) -> None:
    seen = stream(client, "Hi [simulate reasoning-only]")
    assert (seen.text, seen.reasoning, seen.finish_reason) == ("", "Let me see", "length")


# The larger one is more than sockets hold, so that the gateway has to wait for the client.
@pytest.mark.parametrize("kilobytes", [1_100, 16_000])
def test_an_event_of_megabytes_comes_whole(client: httpx.Client, kilobytes: int) -> None:
    seen = stream(client, f"Hi [simulate huge-event kilobytes={kilobytes}]")
    assert len(seen.text) > kilobytes * 1000
    assert (seen.dones, seen.finish_reason) == (1, "stop")


# --- Ends that are none -----------------------------------------------------------------------


def test_a_cut_stream_ends_with_an_error_and_no_done(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    seen = stream(client, "9 words [simulate cut-stream after=4]", request_id=request_id)
    assert seen.dones == 0
    assert seen.errors[0]["code"] == "upstream_cut"
    row = gateway.row(request_id)
    assert (row.end_reason, row.error_code, row.status) == ("upstream_cut", "upstream_cut", 200)
    assert row.usage_source == "partial"
    assert row.prompt_tokens
    assert row.completion_tokens
    assert row.cost_nano_usd


def test_a_stream_without_an_end_is_a_cut_one(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    seen = stream(client, "Hi [simulate cut-without-finish]", request_id=request_id)
    assert seen.text == "Hi, I was just"
    assert seen.errors[0]["code"] == "upstream_cut"
    assert gateway.row(request_id).end_reason == "upstream_cut"


@pytest.mark.parametrize("form", ["error", "errors", "event"])
def test_an_error_in_the_stream_ends_it(
    gateway: GatewayProcess, client: httpx.Client, form: str
) -> None:
    request_id = new_id()
    seen = stream(client, f"Hi [simulate error-event form={form}]", request_id=request_id)
    assert seen.text == "Hi, I was"
    assert seen.dones == 0
    assert seen.errors[0]["code"] == "upstream_error"
    row = gateway.row(request_id)
    assert (row.end_reason, row.usage_source) == ("upstream_error", "partial")


def test_a_finish_of_error_is_an_error(client: httpx.Client) -> None:
    seen = stream(client, "Hi [simulate finish-reason value=error]")
    assert seen.errors[0]["code"] == "upstream_error"


@pytest.mark.parametrize("scenario", ["only-done", "json-for-stream shape=empty"])
def test_an_empty_stream_is_asked_for_once_more(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, scenario: str
) -> None:
    request_id = new_id()
    seen = stream(client, f"Say hello [simulate {scenario}]", request_id=request_id)
    assert seen.text == "hello"
    assert len(upstream.requests) == 2
    assert gateway.row(request_id).attempts == 2


def test_an_empty_answer_twice_is_a_plain_error(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    response = post(
        client, chat_body("Hi [simulate empty-success]", stream=True), request_id=request_id
    )
    assert_openai_error(response, 502, code="upstream_empty")
    assert gateway.row(request_id).end_reason == "upstream_error"


@pytest.mark.parametrize(
    ("code", "status", "error_code"),
    [
        (5006, 400, "invalid_request"),
        (5007, 404, "model_not_found"),
        (3036, 429, "insufficient_quota"),
        (10000, 502, "upstream_misconfigured"),
        (3010, 400, "context_length_exceeded"),
    ],
)
def test_an_error_before_the_first_byte_is_a_plain_error(
    gateway: GatewayProcess, client: httpx.Client, code: int, status: int, error_code: str
) -> None:
    request_id = new_id()
    response = post(
        client, chat_body(f"Hi [simulate error-{code}]", stream=True), request_id=request_id
    )
    assert_openai_error(response, status, code=error_code)
    row = gateway.row(request_id)
    assert (row.status, row.error_code, row.stream) == (status, error_code, True)
    assert (row.cost_nano_usd, row.usage_source) == (0, "none")


# --- Clients that leave -----------------------------------------------------------------------


def upstream_closed(gateway: GatewayProcess, upstream: RunningSimulator) -> None:
    gateway.wait_until(
        lambda: upstream.requests[-1].ended == "client_closed", "upstream sees the close", 5
    )


def test_hanging_up_in_a_stream_cancels_upstream(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    body = chat_body("Count to 400 [simulate slow-tokens seconds=0.05]")
    with opened(client, body, request_id=request_id) as (response, seen):
        for _ in events(response, seen):
            if len(seen.chunks) == 5:
                break
    upstream_closed(gateway, upstream)
    row = gateway.row(request_id)
    assert (row.end_reason, row.usage_source) == ("client_gone", "partial")
    assert row.prompt_tokens
    assert row.completion_tokens is not None
    assert 0 < row.completion_tokens < 50
    assert row.cost_nano_usd


def test_hanging_up_before_the_first_event_cancels_upstream(
    gateway: GatewayProcess, upstream: RunningSimulator, key: str
) -> None:
    request_id = new_id()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            gateway.url + "/v1/chat/completions",
            json=chat_body("Hi [simulate hang]", stream=True),
            headers={"authorization": f"Bearer {key}", "x-request-id": request_id},
            timeout=1,
        )
    upstream_closed(gateway, upstream)
    row = gateway.row(request_id)
    assert (row.end_reason, row.status, row.usage_source) == ("client_gone", 499, "partial")


def test_hanging_up_while_a_whole_answer_is_made_cancels_upstream(
    gateway: GatewayProcess, upstream: RunningSimulator, key: str
) -> None:
    request_id = new_id()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            gateway.url + "/v1/chat/completions",
            json=chat_body("Hi [simulate hang]"),
            headers={"authorization": f"Bearer {key}", "x-request-id": request_id},
            timeout=1,
        )
    upstream_closed(gateway, upstream)
    row = gateway.row(request_id)
    assert (row.end_reason, row.status, row.usage_source) == ("client_gone", 499, "partial")
    assert row.prompt_tokens


def test_a_revoked_key_stops_its_running_stream(
    gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    record, secret = gateway.issue()
    request_id = new_id()
    body = chat_body("Count to 2000 [simulate slow-tokens seconds=0.05]")
    revoked_at = 0.0
    with (
        httpx.Client(
            base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {secret}"}, timeout=20
        ) as http,
        opened(http, body, request_id=request_id) as (response, seen),
    ):
        for _ in events(response, seen):
            if not revoked_at and len(seen.chunks) > 2:
                gateway.database(record.revoke)
                revoked_at = time.monotonic()
    assert time.monotonic() - revoked_at < 10
    assert seen.errors[0]["code"] == "invalid_api_key"
    assert seen.dones == 0
    row = gateway.row(request_id)
    assert (row.end_reason, row.usage_source) == ("key_revoked", "partial")
    upstream_closed(gateway, upstream)


async def test_many_streams_at_once_do_not_mix(gateway: GatewayProcess, key: str) -> None:
    async def one(http: httpx.AsyncClient, number: int) -> str:
        body = chat_body(f"Say only {number} and {number}", stream=True)
        async with http.stream("POST", "/chat/completions", json=body) as response:
            seen = Streamed(response.status_code, response.headers)
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    seen.chunks.append(json.loads(line[6:]))
        return seen.text

    async with httpx.AsyncClient(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as http:
        texts = await asyncio.gather(*(one(http, number) for number in range(40)))
    assert texts == [f"only {number} and {number}" for number in range(40)]
