"""Items and fields of OpenAI's Responses and chats that only few clients send, over HTTP."""

import base64
from typing import Any

import httpx
import pytest

from tests.openai_api.chats import VLLM
from tests.openai_api.image_edits.test_image_edits import png
from workers_ai.simulator.serve import RunningSimulator

SEES = "@cf/meta/llama-4-scout-17b-16e-instruct"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
USER = {"role": "user", "content": "What is the weather in Paris?"}


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": CITY}


def asked(
    client: httpx.Client, upstream: RunningSimulator, *items: Any, **fields: Any
) -> tuple[httpx.Response, dict[str, Any]]:
    """(response, what was sent upstream)"""
    response = client.post("/responses", json={"model": VLLM, "input": [*items, USER], **fields})
    assert response.status_code == 200, response.text
    return response, upstream.requests[-1].body


def names(sent: dict[str, Any]) -> list[str]:
    return [one["function"]["name"] for one in sent.get("tools", [])]


@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
def test_tools_that_come_within_the_conversation_can_be_called(
    client: httpx.Client, upstream: RunningSimulator, kind: str
) -> None:
    space = {"type": "namespace", "name": "mcp", "tools": [tool("find"), tool("read")]}
    later = [tool("get_weather"), tool("old"), space, {"type": "web_search"}]
    item = {"type": kind, "role": "developer", "tools": later}
    response, sent = asked(client, upstream, item, tools=[tool("old")])
    assert names(sent) == ["old", "get_weather", "mcp__find", "mcp__read"]
    assert response.headers["x-gateway-ignored"] == "web_search"
    [call] = [one for one in response.json()["output"] if one["type"] == "function_call"]
    assert (call["name"], call.get("namespace")) == ("get_weather", None)
    assert [one["name"] for one in response.json()["tools"]] == ["old"]


def test_what_a_search_found_again_is_offered_once(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    space = {"type": "namespace", "name": "mcp", "tools": [tool("find")]}
    found = {"type": "tool_search_output", "tools": [space, tool("old")]}
    _, sent = asked(client, upstream, found, found, tools=[space, tool("old")])
    assert sorted(names(sent)) == ["mcp__find", "old"]


def test_a_tool_within_the_conversation_is_checked_under_its_own_name(
    client: httpx.Client,
) -> None:
    item = {"type": "additional_tools", "role": "developer", "tools": [{"type": "function"}]}
    response = client.post("/responses", json={"model": VLLM, "input": [USER, item]})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "input[1].tools[0].name"


def test_settings_change_within_the_conversation(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    schema = {"type": "json_schema", "name": "weather", "schema": CITY}
    first = {"type": "configuration_update", "reasoning": {"effort": "low"}}
    last = {
        "type": "configuration_update",
        "reasoning": {"effort": "high"},
        "text": {"format": schema},
    }
    response, sent = asked(client, upstream, first, last, reasoning={"effort": "medium"})
    assert sent["reasoning_effort"] == "high"
    assert sent["response_format"]["type"] == "json_schema"
    assert response.json()["reasoning"]["effort"] == "high"
    assert "x-gateway-ignored" not in response.headers


def test_a_prompt_is_not_answered_where_it_is_only_to_be_prepared(client: httpx.Client) -> None:
    options = {"prewarm": True}
    body = {"model": VLLM, "input": "hi", "prompt_cache_options": options}
    response = client.post("/responses", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "prompt_cache_options.prewarm"


@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
def test_what_only_openai_knows_is_not_sent_upstream(
    client: httpx.Client, upstream: RunningSimulator, path: str
) -> None:
    fields = {
        "model": VLLM,
        "prompt_cache_options": {"mode": "explicit"},
        "access_programs": {"cyber": "standard"},
        "moderation": {"model": "omni-moderation-latest"},
    }
    given = {"messages": [USER]} if path == "/chat/completions" else {"input": [USER]}
    if path == "/responses":
        fields["image"] = {"context_compression": "auto"}
    response = client.post(path, json={**fields, **given})
    assert response.status_code == 200, response.text
    assert response.headers["x-gateway-ignored"] == "moderation"
    assert not (set(fields) - {"model"}) & set(upstream.requests[-1].body)


def test_a_refusal_of_an_earlier_turn_is_shown_to_the_model(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    refused = {"role": "assistant", "content": None, "refusal": "I cannot say."}
    body = {"model": VLLM, "messages": [USER, refused, USER]}
    assert client.post("/chat/completions", json=body).status_code == 200
    assert upstream.requests[-1].body["messages"][1]["content"] == "I cannot say."


def test_a_picture_goes_upstream_without_what_tunes_openais_cache(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    part = {
        "type": "image_url",
        "image_url": {"url": url, "detail": "original"},
        "prompt_cache_breakpoint": {"mode": "explicit"},
    }
    low = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    body = {"model": SEES, "messages": [{"role": "user", "content": [part, low]}]}
    assert client.post("/chat/completions", json=body).status_code == 200
    sent = upstream.requests[-1].body["messages"][0]["content"]
    assert [set(one) for one in sent] == [{"type", "image_url"}] * 2
    assert [one["image_url"].get("detail") for one in sent] == [None, "low"]
