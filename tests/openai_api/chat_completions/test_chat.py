"""`POST /v1/chat/completions` answered whole, for every kind of backend."""

import json
from typing import Any

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
    ask,
    chat_body,
    new_id,
    post,
)
from tests.openai_api.schemas import assert_completion
from workers_ai.simulator.serve import RunningSimulator

EVERY_DIALECT = [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED]


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_an_answer_is_strict_whatever_the_backend(client: httpx.Client, model: str) -> None:
    body = ask(client, "Say blue 42 birds", model=model)
    assert body["choices"][0]["message"]["content"] == "blue 42 birds"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["model"] == model


@pytest.mark.parametrize("model", [VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED])
def test_thoughts_come_as_reasoning_content(client: httpx.Client, model: str) -> None:
    message = ask(client, "Say hello", model=model)["choices"][0]["message"]
    assert message["content"] == "hello"
    assert message["reasoning_content"].strip()
    assert "think>" not in message["reasoning_content"]


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG, REASONING])
def test_a_tool_call_has_an_id_a_name_and_text_arguments(client: httpx.Client, model: str) -> None:
    body = ask(client, "What is the weather in Paris?", model=model, tools=[WEATHER_TOOL])
    choice = body["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    [call] = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"location": "Paris"}


def test_parallel_tool_calls_differ_in_their_ids(client: httpx.Client) -> None:
    body = ask(client, "What is the weather in Paris and Rome?", tools=[WEATHER_TOOL])
    calls = body["choices"][0]["message"]["tool_calls"]
    assert len({call["id"] for call in calls}) == 2


def test_legacy_functions_get_a_function_call(client: httpx.Client) -> None:
    response = post(
        client,
        chat_body("What is the weather in Paris?", functions=[WEATHER_TOOL["function"]]),
    )
    choice = response.json()["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"]["name"] == "get_weather"
    assert "tool_calls" not in choice["message"]


def test_a_tool_result_is_answered(client: httpx.Client) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"location":"Paris"}'},
    }
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny, 21 degrees"},
    ]
    response = post(client, {"model": OPENAI, "messages": messages, "tools": [WEATHER_TOOL]})
    assert response.status_code == 200, response.text
    assert_completion(response.json())
    assert "sunny, 21 degrees" in response.json()["choices"][0]["message"]["content"]


def test_an_answer_cut_at_the_limit_says_length(client: httpx.Client) -> None:
    body = ask(client, "300 words", max_tokens=20)
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 20


def test_a_legacy_answer_cut_at_the_limit_says_length(client: httpx.Client) -> None:
    body = ask(client, "300 words", model=LEGACY, max_completion_tokens=20)
    assert body["choices"][0]["finish_reason"] == "length"


def test_content_parts_of_text_reach_a_model_that_takes_strings(client: httpx.Client) -> None:
    parts = [{"type": "text", "text": "Say"}, {"type": "text", "text": "parts"}]
    response = post(client, {"model": LEGACY, "messages": [{"role": "user", "content": parts}]})
    assert response.status_code == 200, response.text


def test_the_developer_role_reaches_a_model_that_knows_system_only(client: httpx.Client) -> None:
    messages = [
        {"role": "developer", "content": "Answer in uppercase."},
        {"role": "user", "content": "Say hello"},
    ]
    response = post(client, {"model": LEGACY, "messages": messages})
    assert response.json()["choices"][0]["message"]["content"] == "HELLO"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("number", "155724"),
        ("float", "0.5"),
        ("bool", "true"),
        ("object", '{"answer": "forty-two", "certain": true}'),
        ("list", '["forty", "two"]'),
    ],
)
def test_a_response_that_is_no_string_comes_as_text(
    client: httpx.Client, value: str, text: str
) -> None:
    body = ask(client, f"Say hello [simulate odd-response value={value}]", model=LEGACY)
    assert body["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize(
    "scenario",
    [
        "envelope",
        "null-content",
        "object-content",
        "object-content shape=list",
        "no-finish-reason",
        "extra-fields",
        "no-usage",
        "zero-usage",
        "odd-ids",
        "inline-think",
        "reasoning-field",
        "finish-reason value=model_length",
        "finish-reason value=other",
        "empty-tool-calls",
        "reasoning-only",
        "no-neurons-header",
    ],
)
def test_an_odd_whole_answer_comes_out_strict(client: httpx.Client, scenario: str) -> None:
    ask(client, f"Say hello [simulate {scenario}]")


@pytest.mark.parametrize("scenario", ["flat-tool-call", "text-arguments", "stop-with-tool-call"])
def test_odd_tool_calls_come_out_strict(client: httpx.Client, scenario: str) -> None:
    body = ask(
        client,
        f"What is the weather in Paris? [simulate {scenario}]",
        tools=[WEATHER_TOOL],
    )
    [call] = body["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"location": "Paris"}


@pytest.mark.parametrize("form", ["flat", "arguments", "list"])
def test_a_forced_call_that_leaked_into_the_text_is_a_call(client: httpx.Client, form: str) -> None:
    body = ask(
        client,
        f"What is the weather in Paris? [simulate leaked-tool-call form={form}]",
        tools=[WEATHER_TOOL],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )
    [call] = body["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"location": "Paris"}


def test_an_answer_has_its_row_with_usage_and_cost(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    response = post(client, chat_body("Say hello", user="ada"), request_id=request_id)
    usage = response.json()["usage"]
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.end_reason, row.finish_reason) == (200, "complete", "stop")
    assert (row.endpoint, row.stream, row.attempts) == ("chat", False, 1)
    assert (row.requested_model, row.model) == (OPENAI, OPENAI)
    assert row.prompt_tokens == usage["prompt_tokens"]
    assert row.completion_tokens == usage["completion_tokens"]
    assert row.usage_source == "upstream"
    assert row.user == "ada"
    price = json.loads(row.price or "")
    assert price
    # 0.29 and 2.25 USD per million tokens.
    exact = row.prompt_tokens * 290 + row.completion_tokens * 2250
    assert row.cost_nano_usd == exact
    assert row.neurons_micro is not None
    assert abs(row.neurons_micro * 11_000 / 1e6 - exact) < 11


def test_usage_that_upstream_did_not_report_is_estimated_and_marked(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    response = post(client, chat_body("Say hello [simulate no-usage]"), request_id=request_id)
    row = gateway.row(request_id)
    assert row.usage_source == "estimated"
    assert row.completion_tokens
    assert response.json()["usage"]["completion_tokens"] == row.completion_tokens


def test_usage_of_zeros_is_estimated_and_marked(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    post(client, chat_body("Say hello [simulate zero-usage]"), request_id=request_id)
    row = gateway.row(request_id)
    assert row.usage_source == "estimated"
    assert row.prompt_tokens


def test_an_answer_from_ai_gateways_cache_costs_nothing(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    post(client, chat_body("Say hello [simulate gateway-cache-hit]"), request_id=request_id)
    row = gateway.row(request_id)
    assert (row.cost_nano_usd, row.neurons_micro) == (0, 0)


def test_an_empty_success_is_asked_for_once_more(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = post(
        client, chat_body("Say hello [simulate empty-success-once]"), request_id=request_id
    )
    assert response.status_code == 200, response.text
    assert len(upstream.requests) == 2
    assert gateway.row(request_id).attempts == 2


def test_two_empty_successes_are_an_upstream_error(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = post(client, chat_body("Hi [simulate empty-success]"), request_id=request_id)
    assert_openai_error(response, 502, code="upstream_empty")
    assert len(upstream.requests) == 2
    row = gateway.row(request_id)
    assert (row.status, row.end_reason, row.attempts) == (502, "upstream_error", 2)


def test_an_answer_that_ends_in_an_error_is_an_upstream_error(client: httpx.Client) -> None:
    response = post(client, chat_body("Hi [simulate finish-reason value=error]"))
    assert_openai_error(response, 502, code="upstream_error")


def test_a_refusal_inside_a_success_is_an_error(client: httpx.Client) -> None:
    response = post(client, chat_body("Hi [simulate success-false]"))
    assert_openai_error(response, 400, says="JSON Mode")


# --- What goes up -----------------------------------------------------------------------------


def sent(upstream: RunningSimulator) -> Any:
    return upstream.requests[-1].body


def test_max_tokens_left_out_means_as_much_as_the_model_gives(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    ask(client)
    assert sent(upstream)["max_tokens"] > 16_000


def test_max_completion_tokens_is_the_limit_that_is_sent(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    ask(client, max_completion_tokens=77)
    assert sent(upstream)["max_tokens"] == 77


@pytest.mark.parametrize("stream_options", [None, {"include_usage": False}])
def test_usage_is_always_asked_of_upstream(
    client: httpx.Client, upstream: RunningSimulator, stream_options: Any
) -> None:
    body = chat_body(stream=True, stream_options=stream_options)
    post(client, body)
    assert sent(upstream)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("model", [OPENAI, LEGACY, VLLM])
def test_names_of_the_teams_people_stay_here(
    client: httpx.Client, upstream: RunningSimulator, model: str
) -> None:
    ask(
        client,
        model=model,
        user="ada@example.com",
        metadata={"who": "ada"},
        safety_identifier="ada",
        store=False,
        service_tier="auto",
    )
    assert not {"user", "metadata", "safety_identifier", "store", "service_tier"} & set(
        sent(upstream)
    )
    assert "ada" not in json.dumps(sent(upstream))


def test_credentials_of_the_client_stay_here(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, key: str
) -> None:
    post(client, chat_body(), cookie="session=secret", **{"x-api-key": key})
    [request] = upstream.requests
    assert request.authorized is True
    assert key not in str(request.headers)
    assert not {"cookie", "x-api-key", "x-request-id"} & set(request.headers)


def affinities(upstream: RunningSimulator) -> list[str]:
    return [request.headers["x-session-affinity"] for request in upstream.requests]


def test_turns_of_one_conversation_share_their_affinity(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    first = [{"role": "user", "content": "My name is Ada"}]
    later = [
        *first,
        {"role": "assistant", "content": "Hello Ada"},
        {"role": "user", "content": "What is my name?"},
    ]
    for messages in (first, later):
        assert post(client, {"model": OPENAI, "messages": messages}).status_code == 200
    assert len(set(affinities(upstream))) == 1


def test_another_conversation_has_another_affinity(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    ask(client, "Say one")
    ask(client, "Say two")
    assert len(set(affinities(upstream))) == 2


def test_another_key_has_another_affinity(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    other = gateway.issue_key()
    post(client, chat_body("Say the same"))
    post(client, chat_body("Say the same"), authorization=f"Bearer {other}")
    assert len(set(affinities(upstream))) == 2


def test_the_affinity_says_nothing_of_key_or_text(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, key: str
) -> None:
    ask(client, "Say secretword", prompt_cache_key="secretword")
    [affinity] = affinities(upstream)
    assert "secretword" not in affinity
    assert affinity not in key


def test_cached_tokens_are_reported_and_priced_as_such(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    long_text = "Say " + "the very same beginning of a long prompt " * 20
    post(client, chat_body(long_text, model=SGLANG))
    request_id = new_id()
    again = post(client, chat_body(long_text, model=SGLANG), request_id=request_id).json()
    cached = again["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached > 0
    row = gateway.row(request_id)
    assert row.cached_tokens == cached
    prices = row.price or ""
    assert "cached_input_tokens" in prices
    assert row.cost_nano_usd is not None
    full = post(client, chat_body("Say another thing entirely"), request_id=new_id())
    assert full.json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


def test_text_plain_with_a_json_body_is_taken(client: httpx.Client) -> None:
    response = client.post(
        "/chat/completions",
        content=json.dumps(chat_body()),
        headers={"content-type": "text/plain"},
    )
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions/", "/chat/completions", "/v1/v1/chat/completions"]
)
def test_paths_work_with_a_slash_and_without_v1(
    gateway: GatewayProcess, key: str, path: str
) -> None:
    response = httpx.post(
        gateway.url + path, json=chat_body(), headers={"authorization": f"Bearer {key}"}
    )
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("model", [OPENAI, VLLM, "@hf/nousresearch/hermes-2-pro-mistral-7b"])
def test_tools_with_optional_properties_reach_every_model_that_has_tools(
    client: httpx.Client, model: str
) -> None:
    properties = {
        "location": {"type": ["string", "null"]},
        "days": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
        "unit": {"enum": ["C", "F"]},
    }
    function = {
        "name": "get_weather",
        "description": None,
        "parameters": {"type": "object", "properties": properties},
    }
    tool = {"type": "function", "function": function}
    answer = ask(client, "What is the weather in Paris?", model=model, tools=[tool])
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
