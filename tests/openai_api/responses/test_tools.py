"""Tools of every kind that a Responses request has: what the model is offered, what is refused."""

import re
from typing import Any

import pytest

from openai_api.errors import BadRequest
from openai_api.responses.request import ResponsesRequest, read
from openai_api.responses.translate import translate

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CUSTOM = {"type": "custom", "name": "patch"}
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


def namespace(name: str, *tools: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": name, "description": "d", "tools": list(tools)}


def asked(*tools: Any, **fields: Any) -> ResponsesRequest:
    return read({"model": "m", "input": "x", "tools": list(tools), **fields})


def names(request: ResponsesRequest) -> list[str]:
    chat, _ = translate(request)
    return [tool["function"]["name"] for tool in chat.tools]


def refused(*tools: Any, **fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as error:
        asked(*tools, **fields)
    return error.value


# --- Namespaces -------------------------------------------------------------------------------


def test_a_tool_of_a_namespace_has_both_names() -> None:
    request = asked(FUNCTION, namespace("mcp__w", WEATHER, CUSTOM))
    assert names(request) == ["f", "mcp__w__get_weather", "mcp__w__patch"]
    found = request.tools.called("mcp__w__get_weather")
    assert found is not None
    assert (found.namespace, found.name) == ("mcp__w", "get_weather")


def test_names_stay_apart_and_map_back() -> None:
    """The same joined name, twice; a plain function of that name keeps it."""
    plain = {**WEATHER, "name": "a__b__c"}
    one = namespace("a", {**WEATHER, "name": "b__c"})
    other = namespace("a__b", {**WEATHER, "name": "c"})
    request = asked(one, other, plain)
    sent = [tool.sent_name for tool in request.tools.offered]
    assert len(set(sent)) == 3
    meant = {name: request.tools.called(name) for name in sent}
    assert {(t.namespace, t.name) for t in meant.values() if t} == {
        ("", "a__b__c"),
        ("a", "b__c"),
        ("a__b", "c"),
    }
    assert sent[0] == "a__b__c"


def test_long_and_odd_names_are_made_to_fit_and_stay_the_same() -> None:
    long = namespace("n" * 60, {**WEATHER, "name": "x" * 60}, {**WEATHER, "name": "x" * 59 + "y"})
    odd = namespace("größe.1", {**WEATHER, "name": "a b"})
    sent = names(asked(long, odd))
    assert len(set(sent)) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in sent)
    assert sent == names(asked(long, odd, FUNCTION))[1:]


def test_a_model_that_leaves_the_namespace_out_is_understood() -> None:
    tools = asked(namespace("a", WEATHER, CUSTOM), namespace("b", CUSTOM)).tools
    found = tools.called("get_weather")
    assert found is not None
    assert found.namespace == "a"
    assert tools.called("patch") is None  # two have that name


def test_calls_of_earlier_turns_get_the_names_that_the_model_knows() -> None:
    earlier = [
        *(
            {
                "type": "function_call",
                "call_id": name,
                "name": name,
                "namespace": ns,
                "arguments": "{}",
            }
            for ns, name in (("w", "get_weather"), ("gone", "tool"), ("", "plain"))
        ),
        {
            "type": "custom_tool_call",
            "call_id": "c",
            "name": "patch",
            "namespace": "w",
            "input": "x",
        },
        {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
    ]
    chat, _ = translate(asked(namespace("w", WEATHER, CUSTOM), input=earlier))
    calls = [call["function"] for call in chat.messages[0]["tool_calls"]]
    assert [call["name"] for call in calls] == ["w__get_weather", "gone__tool", "plain", "w__patch"]
    assert calls[3]["arguments"] == '{"input":"x"}'
    assert chat.messages[1] == {"role": "tool", "tool_call_id": "c", "content": "done"}


@pytest.mark.parametrize(
    ("choice", "offered", "sent"),
    [
        ({"type": "function", "name": "get_weather", "namespace": "w"}, 3, "w__get_weather"),
        ({"type": "function", "name": "get_weather"}, 3, "w__get_weather"),
        ({"type": "function", "name": "w__get_weather"}, 3, "w__get_weather"),
        ({"type": "custom", "name": "patch"}, 3, "w__patch"),
        ({"type": "namespace", "name": "w"}, 2, "required"),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "get_weather", "namespace": "w"}],
            },
            *(1, "required"),
        ),
        ({"type": "allowed_tools", "tools": [{"type": "namespace", "name": "w"}]}, 2, "auto"),
    ],
)
def test_a_choice_names_tools_of_namespaces(choice: Any, offered: int, sent: str) -> None:
    chat, _ = translate(asked(FUNCTION, namespace("w", WEATHER, CUSTOM), tool_choice=choice))
    assert len(chat.tools) == offered
    named = chat.tool_choice
    assert (named if isinstance(named, str) else named["function"]["name"]) == sent


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        ([{"type": "namespace", "tools": []}], None, "tools[0].name"),
        ([{"type": "namespace", "name": "n"}], None, "tools[0].tools"),
        ([namespace("n", 7)], None, "tools[0].tools[0]"),
        ([namespace("n", {"type": "web_search"})], None, "tools[0].tools[0].type"),
        ([namespace("n", {"type": "function"})], None, "tools[0].tools[0].name"),
        ([namespace("n", WEATHER)], {"type": "function", "name": "g"}, "tool_choice.name"),
        (
            [namespace("n", WEATHER)],
            {"type": "function", "name": "get_weather", "namespace": "m"},
            "tool_choice.name",
        ),
        (
            [namespace("n", WEATHER)],
            {"type": "function", "name": "get_weather", "namespace": 7},
            "tool_choice.namespace",
        ),
        ([namespace("n", WEATHER)], {"type": "namespace", "name": "m"}, "tool_choice.name"),
        ([{"type": "custom"}], None, "tools[0].name"),
        ([{**CUSTOM, "format": {"type": "bnf"}}], None, "tools[0].format.type"),
        ([{**CUSTOM, "format": {"type": "grammar"}}], None, "tools[0].format.definition"),
        ([{"type": "functoin", "name": "f"}], None, "tools[0].type"),
    ],
)
def test_it_refuses_and_names_the_field(tools: list[Any], choice: Any, param: str) -> None:
    assert refused(*tools, tool_choice=choice).param == param


# --- Custom tools -----------------------------------------------------------------------------


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'}
    chat, _ = translate(asked({**CUSTOM, "description": "Patches", "format": grammar}))
    function = chat.tools[0]["function"]
    assert (function["name"], function["description"]) == ("patch", "Patches")
    assert function["parameters"]["required"] == ["input"]
    told = function["parameters"]["properties"]["input"]
    assert told["type"] == "string"
    assert 'start: "a"' in told["description"]


# --- Hosted tools -----------------------------------------------------------------------------

HOSTED = [
    *("web_search", "web_search_preview", "web_search_2025_08_26", "image_generation"),
    *("code_interpreter", "file_search", "mcp", "computer_use_preview", "computer", "shell"),
    *("local_shell", "tool_search", "apply_patch"),
]


@pytest.mark.parametrize("kind", HOSTED)
@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_hosted_tools_are_left_out_and_named(kind: str, choice: str | None) -> None:
    request = asked({"type": kind}, FUNCTION, tool_choice=choice)
    assert names(request) == ["f"]
    assert request.ignored == (kind,)
    assert [tool["type"] for tool in request.tools.shown] == ["function"]


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        ([{"type": "web_search"}], "required"),
        ([{"type": "web_search"}, FUNCTION], {"type": "web_search"}),
        ([FUNCTION], {"type": "mcp", "server_label": "x"}),
        (
            [{"type": "web_search"}, FUNCTION],
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
        ),
    ],
)
def test_a_forced_hosted_tool_is_refused(tools: list[Any], choice: Any) -> None:
    error = refused(*tools, tool_choice=choice)
    assert error.param is not None
    assert error.param.startswith("tool_choice")
    assert "cannot run" in error.message


def test_hosted_tools_beside_functions_may_be_required_or_allowed() -> None:
    assert names(asked({"type": "web_search"}, FUNCTION, tool_choice="required")) == ["f"]
    allowed = {"type": "allowed_tools", "tools": [{"type": "web_search"}, FUNCTION]}
    assert names(asked({"type": "web_search"}, FUNCTION, tool_choice=allowed)) == ["f"]


def test_what_hosted_tools_left_behind_is_left_out_and_named() -> None:
    earlier = [
        {"type": "web_search_call", "id": "ws", "status": "completed"},
        {"role": "user", "content": "x"},
    ]
    request = read({"model": "m", "input": earlier})
    assert request.ignored == ("web_search_call",)
    chat, _ = translate(request)
    assert chat.messages == [{"role": "user", "content": "x"}]
