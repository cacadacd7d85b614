"""Namespaces, custom and hosted tools over HTTP: whole and streamed, in OpenAI's dialects."""

import json
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.openai_api.chats import OPENAI, VLLM, chat_body, post, stream
from tests.openai_api.event_rules import assert_response_events, events_of

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
NAMESPACE = {
    "type": "namespace",
    "name": "mcp__w",
    "description": "d",
    "tools": [{"type": "function", "name": "get_weather", "parameters": CITY}],
}
SHELL = {"type": "custom", "name": "run_shell", "description": "Runs a command"}
CHAT = "/chat/completions"
QUESTION = "What is the weather in Paris?"
MODELS = pytest.mark.parametrize("model", [OPENAI, VLLM])


def responded(client: httpx.Client, *, streamed: bool, **fields: Any) -> tuple[dict[str, Any], Any]:
    """(response, events)"""
    body = {"input": QUESTION, **fields, "stream": streamed}
    answer = client.post("/responses", json=body)
    assert answer.status_code == 200, answer.text
    if not streamed:
        return answer.json(), []
    events = events_of(answer.content)
    return assert_response_events(events), events


def only_call(response: dict[str, Any]) -> dict[str, Any]:
    [call] = [item for item in response["output"] if item["type"].endswith("_call")]
    return call


@MODELS
@pytest.mark.parametrize("streamed", [False, True])
def test_calls_come_back_with_their_namespace(
    client: httpx.Client, model: str, streamed: bool
) -> None:
    response, events = responded(client, streamed=streamed, model=model, tools=[NAMESPACE])
    call = only_call(response)
    assert (call["type"], call["name"]) == ("function_call", "get_weather")
    assert call["namespace"] == "mcp__w"
    assert json.loads(call["arguments"]) == {"city": "Paris"}
    assert response["tools"] == [NAMESPACE]
    for event in events:
        item = event.get("item", {})
        if item.get("type") == "function_call":
            assert (item["name"], item["namespace"]) == ("get_weather", "mcp__w")
        assert event.get("name", "get_weather") == "get_weather"


@MODELS
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("inside", ["", "ops"])
def test_calls_of_custom_tools_are_free_text(
    client: httpx.Client, model: str, streamed: bool, inside: str
) -> None:
    tool = SHELL if not inside else {**NAMESPACE, "name": inside, "tools": [SHELL]}
    response, events = responded(
        client, streamed=streamed, model=model, tools=[tool], tool_choice="required"
    )
    call = only_call(response)
    assert (call["type"], call["name"]) == ("custom_tool_call", "run_shell")
    assert call.get("namespace", "") == inside
    assert call["id"].startswith("ctc_")
    assert call["input"]
    assert not call["input"].startswith("{")
    if streamed:
        deltas = [
            e["delta"] for e in events if e["type"] == "response.custom_tool_call_input.delta"
        ]
        [done] = [e for e in events if e["type"] == "response.custom_tool_call_input.done"]
        assert "".join(deltas) == done["input"] == call["input"]
        assert not [e for e in events if "function_call_arguments" in e["type"]]


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        (CHAT, {"modalities": ["text", "audio"], "models": ["a"]}, "models, modalities"),
        (CHAT, {"modalities": ["text"], "models": [], "plugins": None}, None),
        ("/responses", {"context_management": [{"type": "compaction"}]}, "context_management"),
        ("/messages", {"inference_geo": "eu", "fallbacks": [{}]}, "inference_geo, fallbacks"),
    ],
    ids=["chat", "chat, nothing asked", "responses", "messages"],
)
def test_fields_that_are_left_out_are_named_in_a_header(
    client: httpx.Client, path: str, fields: dict[str, Any], named: str | None
) -> None:
    said = {"input": "hi"} if path == "/responses" else chat_body("hi")
    answer = client.post(path, json={"max_tokens": 50, **said, "model": OPENAI, **fields})
    assert answer.status_code == 200, answer.text
    assert answer.headers.get("x-gateway-ignored") == named


def test_hosted_tools_are_named_in_a_header(client: httpx.Client) -> None:
    tools = [{"type": "web_search"}, {"type": "mcp", "server_label": "x"}, NAMESPACE]
    for fields in ({"stream": False}, {"stream": True}):
        answer = client.post(
            "/responses", json={"model": OPENAI, "input": "hi", "tools": tools, **fields}
        )
        assert answer.status_code == 200
        assert answer.headers["x-gateway-ignored"] == "web_search, mcp"
    chat = post(client, chat_body(tools=tools[:1], web_search_options={}))
    assert chat.status_code == 200
    assert chat.headers["x-gateway-ignored"] == "web_search, web_search_options"
    assert "x-gateway-ignored" not in post(client, chat_body()).headers
    forced = chat_body(tools=tools[:1], tool_choice="required")
    assert_openai_error(post(client, forced), 400, param="tool_choice")


CHAT_SHELL = {"type": "custom", "custom": {"name": "run_shell", "description": "Runs a command"}}
FORCED = {"type": "custom", "custom": {"name": "run_shell"}}


@MODELS
def test_a_chats_custom_tool_is_called_in_its_own_form(client: httpx.Client, model: str) -> None:
    body = chat_body("Run ls", model, tools=[CHAT_SHELL], tool_choice=FORCED)
    choice = post(client, body).json()["choices"][0]
    [call] = choice["message"]["tool_calls"]
    assert (call["type"], call["custom"]["name"]) == ("custom", "run_shell")
    assert call["custom"]["input"]
    assert choice["finish_reason"] == "tool_calls"
    history = [
        *body["messages"],
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "README.md"},
    ]
    again = post(client, {**body, "messages": history, "tool_choice": "auto"}).json()
    assert "README.md" in again["choices"][0]["message"]["content"]


@MODELS
def test_a_streamed_chats_custom_call_is_told_in_pieces(client: httpx.Client, model: str) -> None:
    body = chat_body("Run ls", model, tools=[CHAT_SHELL], tool_choice=FORCED, stream=True)
    text = post(client, body).text
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    parts = [
        part
        for chunk in chunks
        for choice in chunk["choices"]
        for part in choice["delta"].get("tool_calls", ())
    ]
    assert parts[0]["type"] == "custom"
    assert parts[0]["id"]
    assert parts[0]["custom"]["name"] == "run_shell"
    assert "".join(part["custom"].get("input", "") for part in parts)
    assert not any("function" in part for part in parts)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
THREE = "What is the weather in Paris and London and Rome?"


@pytest.mark.parametrize("model", [OPENAI, "@cf/meta/llama-4-scout-17b-16e-instruct", VLLM])
def test_only_one_call_is_given_where_the_client_takes_one(
    client: httpx.Client, model: str
) -> None:
    fields = {"tools": [WEATHER], "parallel_tool_calls": False}
    [choice] = post(client, chat_body(THREE, model, **fields)).json()["choices"]
    assert len(choice["message"]["tool_calls"]) == 1
    assert choice["finish_reason"] == "tool_calls"
    seen = stream(client, THREE, model=model, **fields)
    assert len(seen.calls) == 1
    assert seen.finish_reason == "tool_calls"
    json.loads(seen.calls[0][1])
    flat = [{"type": "function", "name": "get_weather", "parameters": CITY}]
    for streamed in (False, True):
        response, _ = responded(
            client,
            streamed=streamed,
            model=model,
            input=THREE,
            tools=flat,
            parallel_tool_calls=False,
        )
        only_call(response)
    message = {
        "model": model,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": THREE}],
        "tools": [{"name": "get_weather", "input_schema": CITY}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    answer = client.post("/messages", json=message).json()
    assert [block["type"] for block in answer["content"]].count("tool_use") == 1
    assert answer["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"tool_choice": {"type": "function", "function": {"name": "nope"}}},
            "tool_choice.function.name",
        ),
        ({"tool_choice": {"type": "custom", "custom": {"name": "no"}}}, "tool_choice.custom.name"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "odd"}}, "tool_choice.type"),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [{"type": "function", "function": {"name": "nope"}}],
                    },
                }
            },
            "tool_choice.allowed_tools.tools[0].function.name",
        ),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        ({"tools": [{"type": "odd"}]}, "tools[0].type"),
        (
            {"tools": None, "functions": [WEATHER["function"]], "function_call": {"name": "nope"}},
            "function_call.name",
        ),
    ],
)
def test_chat_refuses_choices_that_name_no_tool(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    response = post(client, {**chat_body(tools=[WEATHER]), **fields})
    assert_openai_error(response, 400, param=param)


def test_a_chat_offers_only_the_allowed_tools(client: httpx.Client) -> None:
    other = {"type": "function", "function": {"name": "get_time", "parameters": CITY}}
    allowed = {
        "mode": "required",
        "tools": [{"type": "function", "function": {"name": "get_time"}}],
    }
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    body = chat_body("What is the weather in Paris?", tools=[WEATHER, other], tool_choice=choice)
    [call] = post(client, body).json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_time"
