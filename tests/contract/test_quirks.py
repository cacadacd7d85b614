"""Every odd stream of upstream, as each client reads it: no client may notice that it was odd."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai as sdk
import pytest
from openai import OpenAI

from tests.contract.quirks import BROKEN, PARIS, QUIRKS, Quirk
from tests.openai_api.chats import events, opened
from tests.openai_api.schemas import assert_chunks
from workers_ai.simulator.scenarios.asked import REGISTRY

every_quirk = pytest.mark.parametrize("quirk", QUIRKS, ids=str)
every_break = pytest.mark.parametrize("quirk", BROKEN, ids=str)


def test_no_quirk_of_streams_is_left_out() -> None:
    known = {
        name
        for name, scenario in REGISTRY.items()
        if any(fact.startswith("8.") for fact in scenario.facts)
    }
    assert known == {quirk.name for quirk in (*QUIRKS, *BROKEN)}


def assert_calls(quirk: Quirk, found: list[tuple[str, Any]]) -> None:
    assert found == [("get_weather", PARIS)] * quirk.calls


# --- The bytes --------------------------------------------------------------------------------


@every_quirk
@pytest.mark.parametrize("include_usage", [False, True])
def test_the_bytes_are_a_strict_stream(
    client: httpx.Client, quirk: Quirk, include_usage: bool
) -> None:
    body = {**quirk.body, "stream_options": {"include_usage": include_usage}}
    with opened(client, body) as (response, seen):
        for _ in events(response, seen):
            pass
    assert (seen.status, seen.errors, seen.dones) == (200, [], 1)
    assert_chunks(seen.chunks)
    assert (seen.usage is not None) == include_usage
    assert (seen.text, seen.reasoning.strip()) == (quirk.text, quirk.reasoning)
    assert seen.finish_reason == quirk.finish_reason
    assert_calls(quirk, [(name, json.loads(arguments)) for name, arguments in seen.calls])


@every_break
def test_the_bytes_of_a_broken_stream_are_strict_up_to_the_error(
    client: httpx.Client, quirk: Quirk
) -> None:
    with opened(client, quirk.body) as (response, seen):
        for _ in events(response, seen):
            pass
    assert (len(seen.errors), seen.dones) == (1, 0)
    assert_chunks(seen.chunks, finished=False)
    assert seen.text.startswith(quirk.text)


# --- Python's openai --------------------------------------------------------------------------


@every_quirk
def test_pythons_openai_reads_it(openai: OpenAI, quirk: Quirk) -> None:
    with openai.chat.completions.stream(**quirk.body) as stream:
        choice: Any
        try:
            [choice] = stream.get_final_completion().choices
        except sdk.LengthFinishReasonError as cut:
            [choice] = cut.completion.choices
    message = choice.message
    assert (message.content or "") == quirk.text
    assert choice.finish_reason == quirk.finish_reason
    calls = [(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []]
    assert_calls(quirk, calls)


@every_break
def test_pythons_openai_raises(openai: OpenAI, quirk: Quirk) -> None:
    with pytest.raises(sdk.APIError):
        list(openai.chat.completions.create(**quirk.body, stream=True))


# --- Node's openai ----------------------------------------------------------------------------


@every_quirk
def test_nodes_openai_reads_it(call_node: Callable[..., Any], quirk: Quirk) -> None:
    seen = call_node("openai.mjs", "stream", body=quirk.body)
    assert "error" not in seen
    assert (seen["text"], seen["reasoning"].strip()) == (quirk.text, quirk.reasoning)
    assert seen["finish"] == quirk.finish_reason
    assert_calls(quirk, [(c["name"], json.loads(c["arguments"])) for c in seen["calls"]])


@every_break
def test_nodes_openai_raises(call_node: Callable[..., Any], quirk: Quirk) -> None:
    seen = call_node("openai.mjs", "stream", body=quirk.body)
    assert seen["error"]["name"] == "APIError"
    assert seen["text"].startswith(quirk.text)


# --- Vercel's AI SDK --------------------------------------------------------------------------


def as_vercel_asks(quirk: Quirk) -> dict[str, Any]:
    [message] = quirk.body["messages"]
    return {
        "model": quirk.model,
        "prompt": message["content"],
        "tools": "tools" in quirk.fields,
        "toolChoice": quirk.fields.get("tool_choice"),
    }


@every_quirk
def test_vercels_sdk_reads_it(call_node: Callable[..., Any], quirk: Quirk) -> None:
    seen = call_node("vercel_ai.mjs", "stream", **as_vercel_asks(quirk))
    assert seen["errors"] == []
    assert (seen["text"], seen["reasoning"].strip()) == (quirk.text, quirk.reasoning)
    assert seen["finish"] == quirk.finish_reason.replace("_", "-")
    assert seen["usage"]["inputTokens"] > 0
    assert_calls(quirk, [(call["name"], call["input"]) for call in seen["calls"]])


@every_break
def test_vercels_sdk_reports_the_error(call_node: Callable[..., Any], quirk: Quirk) -> None:
    seen = call_node("vercel_ai.mjs", "stream", **as_vercel_asks(quirk))
    assert len(seen["errors"]) == 1
    assert seen["text"].startswith(quirk.text)
