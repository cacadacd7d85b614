"""Anthropic's kinds of tools over HTTP: deferred, run in the client, run by Anthropic."""

from typing import Any

import httpx
import pytest

from tests.openai_api.chats import VLLM
from workers_ai.simulator.serve import RunningSimulator

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
FIND = {"name": "ToolSearch", "input_schema": {"type": "object"}}
WEATHER = {"name": "get_weather", "input_schema": CITY, "defer_loading": True}
FETCH = {"name": "WebFetch", "input_schema": CITY, "defer_loading": True}
WEB_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SEARCH = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}


def body(tools: list[Any], *messages: Any, **fields: Any) -> dict[str, Any]:
    said = messages or ({"role": "user", "content": "Say hello"},)
    return {"model": VLLM, "max_tokens": 300, "tools": tools, "messages": said, **fields}


def shown(
    client: httpx.Client, upstream: RunningSimulator, request: dict[str, Any]
) -> tuple[httpx.Response, list[str]]:
    """(response, names of the tools that the model was shown)"""
    response = client.post("/messages", json=request)
    assert response.status_code == 200, response.text
    sent = upstream.requests[-1].body
    return response, [tool["function"]["name"] for tool in sent.get("tools", [])]


def refused(client: httpx.Client, request: dict[str, Any]) -> str:
    response = client.post("/messages", json=request)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    return str(error["message"])


def loading(*names: str) -> list[dict[str, Any]]:
    """The turns in which a search of the client's own found the tools."""
    references = [{"type": "tool_reference", "tool_name": name} for name in names]
    use = {"type": "tool_use", "id": "t1", "name": "ToolSearch", "input": {}}
    return [
        {"role": "user", "content": "Say hello"},
        {"role": "assistant", "content": [use]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": references}],
        },
    ]


def test_deferred_tools_are_shown_once_a_result_refers_to_them(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    tools = [FIND, WEATHER, FETCH]
    assert shown(client, upstream, body(tools))[1] == ["ToolSearch"]
    _, names = shown(client, upstream, body(tools, *loading("WebFetch", "gone")))
    assert names == ["ToolSearch", "WebFetch"]
    result = upstream.requests[-1].body["messages"][2]
    assert result["content"] == "Loaded: WebFetch\nLoaded: gone"


def test_a_deferred_tool_that_was_called_or_is_forced_is_shown(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "WebFetch", "input": {}}
    called = [
        {"role": "user", "content": "Say hello"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]},
    ]
    assert shown(client, upstream, body([FIND, WEATHER, FETCH], *called))[1][1:] == ["WebFetch"]
    forced = body([FIND, WEATHER, FETCH], tool_choice={"type": "tool", "name": "get_weather"})
    assert shown(client, upstream, forced)[1] == ["ToolSearch", "get_weather"]


def test_where_anthropics_search_would_find_them_all_are_shown(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    response, names = shown(client, upstream, body([SEARCH, WEATHER, FETCH]))
    assert names == ["get_weather", "WebFetch"]
    assert response.headers["x-gateway-ignored"] == SEARCH["type"]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_anthropic_runs_is_left_out_and_named(
    client: httpx.Client, upstream: RunningSimulator, streamed: bool
) -> None:
    own = [WEB_SEARCH, {"type": "web_fetch_20260309", "name": "web_fetch"}, WEB_SEARCH]
    response, names = shown(client, upstream, body([*own, FIND], stream=streamed))
    assert names == ["ToolSearch"]
    assert response.headers["x-gateway-ignored"] == "web_search_20250305, web_fetch_20260309"


@pytest.mark.parametrize(
    ("tools", "fields", "says"),
    [
        ([WEB_SEARCH], {}, "'web_search_20250305'"),
        ([WEB_SEARCH], {"tool_choice": {"type": "any"}}, "'web_search_20250305'"),
        ([WEB_SEARCH, FIND], {"tool_choice": {"type": "tool", "name": "web_search"}}, "forces"),
        ([{"type": "code_execution_20260120", "name": "code_execution"}], {}, "Anthropic runs"),
        ([{"type": "telepathy_20270101", "name": "telepathy"}, FIND], {}, "'telepathy_20270101'"),
    ],
)
def test_what_anthropic_runs_is_refused_where_nothing_is_left(
    client: httpx.Client, tools: list[Any], fields: dict[str, Any], says: str
) -> None:
    assert says in refused(client, body(tools, **fields))


@pytest.mark.parametrize(
    ("kind", "name", "required", "has"),
    [
        ("bash_20250124", "bash", [], {"command", "restart"}),
        ("bash_20241022", "bash", [], {"command"}),
        ("text_editor_20241022", "str_replace_editor", ["command", "path"], {"new_str"}),
        ("text_editor_20250429", "str_replace_based_edit_tool", ["command", "path"], {"path"}),
        (
            *("text_editor_20250728", "str_replace_based_edit_tool", ["command", "path"]),
            {"file_text", "old_str", "insert_line", "insert_text", "view_range"},
        ),
        ("memory_20250818", "memory", ["command"], {"old_path", "new_path", "insert_text"}),
    ],
)
def test_tools_of_the_client_are_offered_as_functions(
    client: httpx.Client,
    upstream: RunningSimulator,
    kind: str,
    name: str,
    required: list[str],
    has: set[str],
) -> None:
    response, names = shown(client, upstream, body([{"type": kind, "name": name}]))
    assert names == [name]
    assert "x-gateway-ignored" not in response.headers
    function = upstream.requests[-1].body["tools"][0]["function"]
    assert function["description"]
    assert function["parameters"].get("required", []) == required
    assert has <= set(function["parameters"]["properties"])


def test_calls_that_anthropic_ran_are_left_out_of_the_history(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    history = [
        {"role": "user", "content": "Who won?"},
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                {"type": "text", "text": "The birds."},
            ],
        },
        {"role": "user", "content": "Say hello"},
    ]
    shown(client, upstream, body([FIND], *history))
    assert upstream.requests[-1].body["messages"][1]["content"] == "The birds."


def telling(kind: str, tool: dict[str, Any]) -> dict[str, Any]:
    return {"role": "system", "content": [{"type": f"tool_{kind}", "tool": tool}]}


def referring(name: str) -> dict[str, Any]:
    return {"type": "tool_reference", "name": name}


def test_tools_come_and_go_within_a_conversation(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    said = {"role": "user", "content": "Say hello"}
    plain = {"name": "clock", "input_schema": CITY}
    inline = {"type": "tool_definition", "definition": {"name": "dice", "input_schema": CITY}}
    tools = [FIND, WEATHER, plain]
    cases: list[tuple[list[Any], list[str]]] = [
        ([telling("addition", referring("get_weather"))], ["ToolSearch", "get_weather", "clock"]),
        ([telling("removal", referring("clock"))], ["ToolSearch"]),
        ([telling("addition", inline)], ["ToolSearch", "clock", "dice"]),
        (
            [telling("removal", referring("clock")), telling("addition", referring("clock"))],
            ["ToolSearch", "clock"],
        ),
        (
            [telling("addition", inline), telling("removal", referring("dice"))],
            ["ToolSearch", "clock"],
        ),
        # Of servers that Anthropic reaches, and of tools that nobody described.
        (
            [
                telling("addition", {"type": "mcp_toolset_reference", "server_name": "s"}),
                telling("addition", referring("unknown")),
            ],
            ["ToolSearch", "clock"],
        ),
    ]
    for changes, names in cases:
        assert shown(client, upstream, body(tools, said, *changes))[1] == names
    texts = str(upstream.requests[-2].body["messages"])
    assert "Tool added: dice" in texts and "Tool removed: dice" in texts
    choice = {"type": "tool", "name": "dice"}
    answer, _ = shown(
        client, upstream, body(tools, said, telling("addition", inline), tool_choice=choice)
    )
    assert answer.json()["content"][-1]["name"] == "dice"
    bare: dict[str, Any] = {"type": "tool_definition", "definition": {"name": "dice"}}
    request = body(tools, said, telling("addition", bare))
    assert "messages[1].content[0].tool.definition.input_schema" in refused(client, request)
    for tool in ({}, {"type": "tool_reference"}, {"type": "nonsense"}, "dice"):
        change = {"role": "user", "content": [{"type": "tool_addition", "tool": tool}]}
        assert "messages[1].content[0].tool" in refused(client, body(tools, said, change))
