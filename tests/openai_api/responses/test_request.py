"""What a Responses request may say, and the sentence for what it may not."""

from typing import Any

import pytest

from openai_api.errors import BadRequest
from openai_api.responses.request import read

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": "Hello", **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"store": True},
        {"store": False, "background": False, "previous_response_id": None, "conversation": None},
        {"include": ["reasoning.encrypted_content"], "reasoning": None},
        {"reasoning": {"effort": "medium", "summary": "auto"}},
        {"text": {"verbosity": "low"}, "truncation": "auto", "service_tier": "flex"},
        {"tools": [TOOL], "tool_choice": {"type": "function", "name": "f"}},
        {"tools": [], "tool_choice": "auto", "client_metadata": {"a": "b"}},
        {"input": [{"type": "reasoning", "id": "rs", "summary": [], "content": None}]},
        {"input": [CALL, {"type": "function_call_output", "call_id": "c", "output": ""}]},
        {"input": [{"role": "user", "content": []}], "stream_options": {"a": False}},
    ],
)
def test_it_takes(fields: dict[str, Any]) -> None:
    assert read(body(**fields)).model == "m"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 7}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{}]}]}, "input[0].content[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]},
            "input[0].content[0].text",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "x"}]}]},
            "input[0].content[0].file_id",
        ),
        ({"input": [{"type": "compaction"}]}, "input[0].type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{**CALL, "arguments": 7}]}, "input[0].arguments"),
        ({"input": [{**CALL, "call_id": ""}]}, "input[0].call_id"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
            "input[0]",
        ),
        ({"input": [CALL, {"type": "function_call_output", "call_id": "c"}]}, "input[1].output"),
        ({"input": [{"type": "reasoning", "summary": ["x"]}]}, "input[0].summary[0].text"),
        ({"instructions": 7}, "instructions"),
        ({"stream": "yes"}, "stream"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [{"type": "odd"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{**TOOL, "parameters": "x"}]}, "tools[0].parameters"),
        ({"tools": [{**TOOL, "strict": "x"}]}, "tools[0].strict"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": 7}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice.name"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "tools": [{"name": "g"}]}},
            "tool_choice.tools[0].name",
        ),
        ({"text": "x"}, "text"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"verbosity": "loud"}}, "text.verbosity"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"reasoning": {"summary": 7}}, "reasoning.summary"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": "7"}, "max_output_tokens"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"top_logprobs": 99}, "top_logprobs"),
        ({"truncation": "some"}, "truncation"),
        ({"metadata": {"a": 7}}, "metadata.a"),
        ({"metadata": []}, "metadata"),
        ({"include": ["x", 7]}, "include[1]"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"user": 7}, "user"),
        ({"prompt_cache_key": 7}, "prompt_cache_key"),
        ({"store": "no"}, "store"),
        ({"seed": "x"}, "seed"),
    ],
)
def test_it_refuses_and_names_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(body(**fields))
    assert refused.value.param == param
    assert refused.value.message
