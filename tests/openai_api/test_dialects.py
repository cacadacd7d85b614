"""Errors, hang-ups and quiet streams of `/v1/responses` and `/v1/messages` over HTTP."""

from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, REASONING, new_id
from tests.openai_api.event_rules import assert_message_events, assert_response_events, events_of
from workers_ai.simulator.serve import RunningSimulator

PHOENIX = "@cf/leonardo/phoenix-1.0"
BOTH = pytest.mark.parametrize("path", ["/responses", "/messages"])


def asking(path: str, text: str = "Say hello", model: str = OPENAI, **fields: Any) -> Any:
    said = [{"role": "user", "content": text}]
    if path == "/responses":
        return {"model": model, "input": said, **fields}
    return {"model": model, "max_tokens": 4000, "messages": said, **fields}


def said(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def assert_anthropic_error(
    response: httpx.Response, status: int, type: str, *, says: str = ""
) -> None:
    """The response is an error in Anthropic's form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert set(body["error"]) == {"type", "message"}
    assert body["error"]["type"] == type
    assert says in body["error"]["message"]
    assert body["request_id"] == response.headers["request-id"]
    assert body["request_id"] == response.headers["x-request-id"]


# --- Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "type", "says"),
    [
        (asking("/messages", max_tokens="x"), 400, "invalid_request_error", "'max_tokens'"),
        (asking("/messages", model="@cf/no/such"), 404, "not_found_error", "@cf/no/such"),
        (asking("/messages", model=PHOENIX), 400, "invalid_request_error", "/v1/images"),
        (
            asking("/messages", model=LEGACY, tools=[{"name": "f", "input_schema": {}}]),
            *(400, "invalid_request_error", "tools"),
        ),
        (
            asking("/messages", "x" * 900_000),
            *(400, "invalid_request_error", "prompt is too long"),
        ),
        (asking("/messages", "[simulate error-3040]"), 429, "rate_limit_error", "busy"),
        (asking("/messages", "[simulate error-4006]"), 429, "rate_limit_error", "neurons"),
        (asking("/messages", "[simulate error-10000]"), 502, "api_error", "operator"),
        (asking("/messages", "[simulate html-502]"), 502, "api_error", "Workers AI"),
        (asking("/messages", "[simulate error-3007]"), 504, "timeout_error", "in time"),
    ],
)
def test_messages_errors_are_anthropics(
    client: httpx.Client, body: Any, status: int, type: str, says: str
) -> None:
    assert_anthropic_error(client.post("/messages", json=body), status, type, says=says)


def test_messages_errors_before_the_view_are_anthropics(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    stranger = {"x-api-key": "sk-wai-wrong", "anthropic-version": "2023-06-01"}
    url = f"{gateway.url}/v1/messages"
    assert_anthropic_error(
        httpx.post(url, json=asking("/messages"), headers=stranger), 401, "authentication_error"
    )
    assert_anthropic_error(httpx.post(url, json={}), 401, "authentication_error")
    assert_anthropic_error(client.post("/messages/batches"), 404, "not_found_error")
    assert_anthropic_error(client.get("/messages"), 405, "invalid_request_error", says="POST")
    assert_anthropic_error(client.post("/messages", content="{"), 400, "invalid_request_error")
    form = client.post("/messages", files={"a": b"b"})
    assert_anthropic_error(form, 415, "invalid_request_error")
    large = client.post("/messages", content=b" " * (33 * 1024 * 1024))
    assert_anthropic_error(large, 413, "request_too_large")


@pytest.mark.parametrize("path", ["/messages", "/messages/count_tokens"])
def test_a_key_for_other_endpoints_is_refused(gateway: GatewayProcess, path: str) -> None:
    key = gateway.issue_key(allowed_endpoints=["chat"])
    response = httpx.post(
        f"{gateway.url}/v1{path}", json=asking("/messages"), headers={"x-api-key": key}
    )
    assert_anthropic_error(response, 403, "permission_error")


def test_a_limit_is_told_in_anthropics_words(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(requests_per_minute=1)
    url, headers = f"{gateway.url}/v1/messages", {"x-api-key": key}
    assert httpx.post(url, json=asking("/messages"), headers=headers).status_code == 200
    refused = httpx.post(url, json=asking("/messages"), headers=headers)
    assert_anthropic_error(refused, 429, "rate_limit_error", says="requests per minute")
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "x" * 900_000}, "input"),
        (
            {"model": LEGACY, "include": ["message.output_text.logprobs"]},
            "include",
        ),
        (
            {
                "model": REASONING,
                "input": [said({"type": "input_image", "image_url": "http://127.0.0.1/a.png"})],
            },
            "input[0].content[0].image_url",
        ),
        ({"max_output_tokens": "x"}, "max_output_tokens"),
        ({"model": PHOENIX}, "model"),
    ],
)
def test_responses_errors_name_the_callers_own_fields(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    response = client.post("/responses", json=asking("/responses") | fields)
    assert_openai_error(response, 400, param=param)


def test_a_response_is_not_kept(client: httpx.Client) -> None:
    answer = client.post("/responses", json=asking("/responses")).json()
    assert_openai_error(client.get(f"/responses/{answer['id']}"), 404, code="unknown_url")


# --- As agents ask ----------------------------------------------------------------------------


def test_a_turn_as_codex_asks_for_it(client: httpx.Client) -> None:
    shell = {
        "type": "function",
        "name": "shell",
        "description": "Runs a command",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "array", "items": {"type": "string"}}},
            "required": ["command"],
            "additionalProperties": False,
        },
    }
    body = {
        "model": REASONING,
        "instructions": "You are a coding agent.",
        "input": [
            {
                "type": "message",
                "role": "developer",
                "content": [{"type": "input_text", "text": "The sandbox is read-only."}],
            },
            {"type": "message", **said({"type": "input_text", "text": "What is here?"})},
            {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
            {
                "type": "function_call",
                "name": "shell",
                "arguments": '{"command": ["ls"]}',
                "call_id": "call_1",
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "README.md"},
        ],
        "tools": [shell],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199",
        "text": {"verbosity": "medium"},
        "client_metadata": {"installation": "one"},
    }
    response = client.post("/responses", json=body, headers={"accept": "text/event-stream"})
    told = assert_response_events(events_of(response.content))
    assert [item["type"] for item in told["output"]] == ["reasoning", "message"]
    assert "README.md" in told["output"][1]["content"][0]["text"]


def test_a_turn_as_claude_code_asks_for_it(client: httpx.Client) -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    body = {
        "model": REASONING,
        "max_tokens": 32000,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cch=1;"},
            {"type": "text", "text": "You are a coding agent.", **cached},
        ],
        "messages": [
            said({"type": "text", "text": "What is here?"}),
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Let me look.", "signature": "s"},
                    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}},
                ],
            },
            said(
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": "README.md",
                    "is_error": False,
                    **cached,
                }
            ),
        ],
        "tools": [
            {
                "name": "Bash",
                "description": "Runs a command",
                "input_schema": {
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "type": "object",
                    "properties": {"command": {"type": "string"}},
                    "required": ["command"],
                    "additionalProperties": False,
                },
            }
        ],
        "metadata": {"user_id": "user_1_session_2"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
    }
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "claude-code-20250219"}
    response = client.post("/messages?beta=true", json=body, headers=headers)
    told = assert_message_events(events_of(response.content))
    assert [block["type"] for block in told["content"]] == ["thinking", "text"]
    assert "README.md" in told["content"][1]["text"]
    counted = {name: body[name] for name in ("model", "system", "messages", "tools")}
    count = client.post("/messages/count_tokens?beta=true", json=counted, headers=headers)
    assert count.json()["input_tokens"] > 50


# --- Streams ----------------------------------------------------------------------------------


@BOTH
def test_a_client_that_leaves_is_recorded(
    client: httpx.Client, gateway: GatewayProcess, upstream: RunningSimulator, path: str
) -> None:
    request_id = new_id()
    body = asking(path, "900 words [simulate slow-tokens seconds=0.05]", stream=True)
    with client.stream("POST", path, json=body, headers={"x-request-id": request_id}) as response:
        for line in response.iter_lines():
            if '"delta"' in line:
                break
    row = gateway.row(request_id)
    assert (row.endpoint, row.end_reason, row.usage_source) == (
        *(path[1:], "client_gone", "partial"),
    )
    assert row.completion_tokens > 0
    assert upstream.requests[-1].wait_for_end() == "client_closed"


@BOTH
def test_a_stream_that_fails_after_a_silence_is_still_one(
    tuned_client: httpx.Client, path: str
) -> None:
    body = asking(path, "[simulate stall after=0]", stream=True)
    text = tuned_client.post(path, json=body).text
    assert text.startswith(": ping\n\n")
    events = events_of(text)
    if path == "/responses":
        assert assert_response_events(events)["status"] == "failed"
    else:
        assert [event["type"] for event in events] == ["error"]
        assert events[0]["error"]["type"] == "timeout_error"


@BOTH
def test_the_log_of_a_stream_has_what_its_client_was_told(
    client: httpx.Client, gateway: GatewayProcess, path: str
) -> None:
    request_id = new_id()
    body = asking(path, "Say five small words", stream=True)
    response = client.post(path, json=body, headers={"x-request-id": request_id})
    events = events_of(response.content)
    told = assert_response_events(events) if path == "/responses" else assert_message_events(events)
    [row] = gateway.rows(request_id=request_id)
    usage = told["usage"]
    cached = usage.get("cache_read_input_tokens", 0)
    assert (row.stream, row.prompt_tokens) == (True, usage["input_tokens"] + cached)
    assert row.completion_tokens == usage["output_tokens"]


def test_thoughts_that_nobody_asked_for_are_not_told(client: httpx.Client) -> None:
    body = asking("/messages", "Say hi [simulate reasoning-field]", REASONING, stream=True)
    message = assert_message_events(events_of(client.post("/messages", json=body).content))
    assert [block["type"] for block in message["content"]] == ["text"]


@BOTH
def test_an_empty_success_is_asked_for_once_more(client: httpx.Client, path: str) -> None:
    body = asking(path, "Say hello [simulate empty-success-once]")
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    assert "hello" in response.text
