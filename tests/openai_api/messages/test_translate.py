"""Anthropic's messages as those of a chat."""

from typing import Any

import pytest

from openai_api.messages.request import read
from openai_api.messages.translate import translate

IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
}
SHOWN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def use(call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {"a": 1}}


def result(call_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, **fields}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def called(*ids: str) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": '{"a":1}'}
    return [{"id": i, "type": "function", "function": function} for i in ids]


def tool(call_id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def turns(*contents: Any) -> list[dict[str, Any]]:
    """Messages of user and assistant by turns."""
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        (turns("a", "b", "c"), turns("a", "b", "c")),
        (turns([text("a"), IMAGE]), turns([text("a"), SHOWN])),
        (
            turns("a", [{"type": "thinking", "thinking": "hm", "signature": "s"}, text("b")]),
            [
                *turns("a"),
                {"role": "assistant", "content": "b", "reasoning_content": "hm"},
            ],
        ),
        (  # results first, then what the person says
            turns("a", [text("b"), use("1"), use("2")], [text("c"), result("1"), result("2")]),
            [
                *turns("a"),
                {"role": "assistant", "content": "b", "tool_calls": called("1", "2")},
                *(tool("1", ""), tool("2", "")),
                *turns("c"),
            ],
        ),
        (
            turns(
                "a",
                [use("1"), use("2")],
                [
                    result("1", content="gone", is_error=True),
                    result("2", content=[text("see"), text("this"), IMAGE]),
                ],
            ),
            [
                *turns("a"),
                {"role": "assistant", "content": None, "tool_calls": called("1", "2")},
                *(tool("1", "Error: gone"), tool("2", [text("see"), text("this"), SHOWN])),
            ],
        ),
        (
            turns(
                [
                    {
                        "type": "document",
                        "title": "Birds",
                        "source": {"type": "text", "media_type": "text/plain", "data": "fly"},
                    }
                ]
            ),
            turns("Birds\nfly"),
        ),
    ],
)
def test_messages_become_those_of_a_chat(
    messages: list[dict[str, Any]], sent: list[dict[str, Any]]
) -> None:
    chat, _ = translate(read({"model": "m", "max_tokens": 9, "messages": messages}))
    assert chat.messages == sent


def test_the_system_prompt_comes_first() -> None:
    billed = text("x-anthropic-billing-header: cc_version=2.1; cch=1a2b3;")
    system = [
        billed,
        {**text("Be kind"), "cache_control": {"type": "ephemeral"}},
        text("and brief"),
    ]
    asked = {"model": "m", "max_tokens": 9, "messages": turns("a"), "system": system}
    chat, _ = translate(read(asked))
    assert chat.messages == [{"role": "system", "content": "Be kind\nand brief"}, *turns("a")]


@pytest.mark.parametrize(
    ("choice", "sent", "settings"),
    [
        (None, None, {}),
        ({"type": "auto"}, "auto", {}),
        ({"type": "any"}, "required", {}),
        ({"type": "none"}, "none", {}),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}, {}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            "auto",
            {"parallel_tool_calls": False},
        ),
    ],
)
def test_tools_are_those_of_a_chat(choice: Any, sent: Any, settings: dict[str, Any]) -> None:
    asked = {
        "model": "m",
        "max_tokens": 9,
        "messages": turns("a"),
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": choice,
    }
    chat, _ = translate(read(asked))
    function = {"name": "f", "parameters": {"type": "object"}, "description": "d"}
    assert chat.tools == [{"type": "function", "function": function}]
    assert (chat.tool_choice, chat.settings) == (sent, settings)
