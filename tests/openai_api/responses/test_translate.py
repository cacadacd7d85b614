"""Items of a Responses request as the messages of a chat."""

from typing import Any

import pytest

from openai_api.responses.request import read
from openai_api.responses.translate import translate

PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
SHOWN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


def call(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


def output(call_id: str, said: Any = "7") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def called(*ids: str) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": "{}"}
    return [{"id": i, "type": "function", "function": function} for i in ids]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def tool(call_id: str, content: Any = "7") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ("Hello", [user("Hello")]),
        ([user("Hello")], [user("Hello")]),
        (
            [{"role": "developer", "content": [{"type": "input_text", "text": "Be kind"}]}],
            [{"role": "developer", "content": [{"type": "text", "text": "Be kind"}]}],
        ),
        ([{"role": "user", "content": [PICTURE]}], [{"role": "user", "content": [SHOWN]}]),
        (
            [user("a"), {"role": "assistant", "content": "b"}, user("c")],
            [user("a"), {"role": "assistant", "content": "b"}, user("c")],
        ),
        (  # calls of one turn are one message, and their results follow it
            [user("a"), call("1"), call("2"), output("1"), output("2")],
            [
                user("a"),
                {"role": "assistant", "content": None, "tool_calls": called("1", "2")},
                *(tool("1"), tool("2")),
            ],
        ),
        (  # what was thought and said before a call belongs to it
            [
                {**THOUGHT, "content": [{"type": "reasoning_text", "text": "hm"}]},
                {"role": "assistant", "content": "Wait"},
                *(call("1"), output("1")),
            ],
            [
                {
                    "role": "assistant",
                    "content": "Wait",
                    "reasoning_content": "hm",
                    "tool_calls": called("1"),
                },
                tool("1"),
            ],
        ),
        (  # a summary stands for a thought that was not given back
            [{**THOUGHT, "summary": [{"type": "summary_text", "text": "hm"}]}, call("1")],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "hm",
                    "tool_calls": called("1"),
                }
            ],
        ),
        (  # pictures of tools stay in the results
            [call("1"), call("2"), output("1", [PICTURE]), output("2"), user("so?")],
            [
                {"role": "assistant", "content": None, "tool_calls": called("1", "2")},
                *(tool("1", [SHOWN]), tool("2")),
                user("so?"),
            ],
        ),
    ],
)
def test_items_become_messages(items: Any, messages: list[dict[str, Any]]) -> None:
    chat, _ = translate(read({"model": "m", "input": items}))
    assert chat.messages == messages


def test_instructions_come_first() -> None:
    chat, _ = translate(read({"model": "m", "input": "Hello", "instructions": "Be kind"}))
    assert chat.messages == [{"role": "system", "content": "Be kind"}, user("Hello")]


def test_pictures_keep_the_callers_names() -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "x"}, PICTURE]}
    _, pictures = translate(read({"model": "m", "input": [user("a"), item]}))
    assert [name for _, name in pictures] == ["input[1].content[1].image_url"]


TOOLS = [{"type": "function", "name": name, "strict": True} for name in ("f", "g")]


@pytest.mark.parametrize(
    ("choice", "names", "sent"),
    [
        ("auto", ["f", "g"], "auto"),
        ("required", ["f", "g"], "required"),
        (
            {"type": "function", "name": "g"},
            ["f", "g"],
            {"type": "function", "function": {"name": "g"}},
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"name": "g"}]},
            ["g"],
            "required",
        ),
    ],
)
def test_tools_are_those_of_a_chat(choice: Any, names: list[str], sent: Any) -> None:
    chat, _ = translate(read({"model": "m", "input": "x", "tools": TOOLS, "tool_choice": choice}))
    assert [tool["function"]["name"] for tool in chat.tools] == names
    assert chat.tools[0]["function"]["strict"] is True
    assert chat.tool_choice == sent


def test_settings_get_their_names_in_chat() -> None:
    wanted = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    chat, _ = translate(
        read(
            {
                "model": "m",
                "input": "x",
                "max_output_tokens": 9,
                "reasoning": {"effort": "low"},
                "text": {"format": wanted},
                "include": ["message.output_text.logprobs"],
                "top_logprobs": 2,
                "temperature": 0.5,
                "seed": 7,
                "metadata": {"a": "b"},
                "store": True,
                "truncation": "disabled",
                "prompt_cache_key": "k",
            }
        )
    )
    assert chat.max_tokens == 9
    assert chat.reasoning_effort == "low"
    assert chat.cache_key == "k"
    assert chat.settings == {"logprobs": True, "top_logprobs": 2, "temperature": 0.5, "seed": 7}
    assert chat.response_format == {
        "type": "json_schema",
        "json_schema": {name: wanted[name] for name in ("name", "schema", "strict")},
    }
