"""What a Messages request may say, and the sentence for what it may not."""

from typing import Any

import orjson
import pytest

from openai_api.errors import BadRequest
from openai_api.errors.anthropic import in_words_of_anthropic
from openai_api.messages.request import read

TOOL = {"name": "f", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t"}


def body(**fields: Any) -> dict[str, Any]:
    return {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hello"}],
        **fields,
    }


def of_user(*blocks: Any) -> list[Any]:
    return [{"role": "user", "content": list(blocks)}]


def answered(*blocks: Any) -> list[Any]:
    return [*of_user(), {"role": "assistant", "content": list(blocks)}]


def source(**fields: Any) -> dict[str, Any]:
    return {"type": "image", "source": fields}


@pytest.mark.parametrize(
    ("thinking", "effort", "shows"),
    [
        (None, "none", False),
        ({"type": "disabled"}, "none", False),
        ({"type": "enabled", "budget_tokens": 1024}, "low", True),
        ({"type": "enabled", "budget_tokens": 8000}, "medium", True),
        ({"type": "enabled", "budget_tokens": 32000}, "high", True),
        ({"type": "adaptive"}, None, True),
    ],
)
def test_thinking_is_an_effort(thinking: Any, effort: str | None, shows: bool) -> None:
    asked = read(body(thinking=thinking))
    assert (asked.effort, asked.shows_thinking) == (effort, shows)


def test_an_effort_of_its_own_wins_over_the_budget() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert read(body(thinking=thinking, output_config={"effort": "max"})).effort == "max"


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "Be kind", "stop_sequences": ["x"], "metadata": {"user_id": "ada"}},
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
        {"tools": [{**TOOL, "type": "custom"}], "tool_choice": {"type": "any"}},
        {"container": None, "mcp_servers": [], "context_management": {"edits": []}},
        {"messages": answered({"type": "redacted_thinking", "data": "x"}, USE)},
        {"messages": [*answered(USE), *of_user({**RESULT, "is_error": True})]},
        {"messages": of_user({"type": "document", "source": {"type": "text", "data": "x"}})},
    ],
)
def test_it_takes(fields: dict[str, Any]) -> None:
    assert read(body(**fields)).model == "m"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": [7]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": of_user(7)}, "messages[0].content[0]"),
        ({"messages": of_user({})}, "messages[0].content[0].type"),
        ({"messages": of_user(USE)}, "messages[0].content[0].type"),
        ({"messages": of_user({"type": "text"})}, "messages[0].content[0].text"),
        ({"messages": of_user({"type": "image"})}, "messages[0].content[0].source"),
        (
            {"messages": of_user(source(type="file", file_id="x"))},
            "messages[0].content[0].source.type",
        ),
        (
            {"messages": of_user(source(type="base64", media_type="image/tiff", data="AA"))},
            "messages[0].content[0].source",
        ),
        (
            {"messages": of_user(source(type="url", url="file:///etc"))},
            "messages[0].content[0].source.url",
        ),
        ({"messages": of_user(RESULT)}, "messages[0].content[0].tool_use_id"),
        ({"messages": answered({**USE, "input": "{}"})}, "messages[1].content[0].input"),
        ({"messages": answered({**USE, "id": ""})}, "messages[1].content[0].id"),
        ({"system": 7}, "system"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"type": "telepathy_20270101", "name": "x"}]}, "tools[0].type"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name"),
        ({"thinking": True}, "thinking"),
        ({"thinking": {"type": "on"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "disabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        (
            {"messages": [*of_user(), {"role": "system", "output_config": {"effort": 1}}]},
            "messages[1].output_config.effort",
        ),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"stop_sequences": [7]}, "stop_sequences[0]"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"thread": {"type": "create"}}, "thread"),
        ({"container": "c1"}, "container"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_k": "x"}, "top_k"),
    ],
)
def test_it_refuses_and_names_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(body(**fields))
    assert refused.value.param == param
    assert f"'{param.partition('[')[0].partition('.')[0]}" in refused.value.message


def test_threads_are_refused_in_the_words_that_sdks_read() -> None:
    with pytest.raises(BadRequest) as refused:
        read(body(thread={"type": "continue", "previous_message_id": "msg_1"}))
    status, told = in_words_of_anthropic(refused.value, request_id="req_1")
    error = orjson.loads(told)["error"]
    assert status == 400
    assert error["details"] == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }
