"""Every odd stream of upstream, told in the two other dialects: strict all the same."""

import json
from typing import Any

import httpx
import pytest

from tests.contract.quirks import BROKEN, PARIS, QUIRKS, TURTLES, Quirk
from tests.openai_api.chats import new_id
from tests.openai_api.event_rules import (
    Event,
    assert_message_events,
    assert_response_events,
    events_of,
)

# What differs in the bytes alone is settled before either dialect is spoken.
every_quirk = pytest.mark.parametrize("quirk", [q for q in QUIRKS if q.text != TURTLES], ids=str)
every_break = pytest.mark.parametrize("quirk", BROKEN, ids=str)

INCOMPLETE = {"length": "incomplete"}
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def as_response(quirk: Quirk) -> dict[str, Any]:
    body = quirk.body
    body["input"] = body.pop("messages")
    if "tools" in body:
        body["tools"] = [{"type": "function", **tool["function"]} for tool in body["tools"]]
    return {**body, "stream": True}


def as_message(quirk: Quirk) -> dict[str, Any]:
    body = quirk.body
    if "tools" in body:
        functions = [tool["function"] for tool in body["tools"]]
        body["tools"] = [{"input_schema": f.pop("parameters"), **f} for f in map(dict, functions)]
    if "tool_choice" in body:
        body["tool_choice"] = {"type": "any"}
    thinking = {"type": "enabled", "budget_tokens": 2000}
    return {**body, "max_tokens": 5000, "thinking": thinking, "stream": True}


def streamed(client: httpx.Client, path: str, body: dict[str, Any]) -> list[Event]:
    response = client.post(path, json=body, headers={"x-request-id": new_id()})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return events_of(response.content)


def texts(items: list[Event]) -> tuple[str, str, list[Any]]:
    """(text, thoughts, calls) of items of a response."""
    said, thought, calls = "", "", []
    for item in items:
        if item["type"] == "function_call":
            calls.append((item["name"], json.loads(item["arguments"])))
        elif item["type"] == "message":
            said += "".join(part["text"] for part in item["content"])
        else:
            thought += "".join(part["text"] for part in item["content"])
    return said, thought.strip(), calls


@every_quirk
def test_a_response_tells_it(client: httpx.Client, quirk: Quirk) -> None:
    response = assert_response_events(streamed(client, "/responses", as_response(quirk)))
    assert response["status"] == INCOMPLETE.get(quirk.finish_reason, "completed")
    said, thought, calls = texts(response["output"])
    assert (said, thought) == (quirk.text, quirk.reasoning)
    assert calls == [("get_weather", PARIS)] * quirk.calls


@every_break
def test_a_response_that_breaks_off_says_so(client: httpx.Client, quirk: Quirk) -> None:
    events = streamed(client, "/responses", as_response(quirk))
    response = assert_response_events(events)
    assert response["status"] == "failed"
    assert "".join(e["delta"] for e in events if "delta" in e).startswith(quirk.text)


@every_quirk
def test_a_message_tells_it(client: httpx.Client, quirk: Quirk) -> None:
    message = assert_message_events(streamed(client, "/messages", as_message(quirk)))
    assert message["stop_reason"] == STOP_REASONS[quirk.finish_reason]
    content = message["content"]
    assert "".join(b["text"] for b in content if b["type"] == "text") == quirk.text
    thoughts = "".join(b["thinking"] for b in content if b["type"] == "thinking")
    assert thoughts.strip() == quirk.reasoning
    calls = [(b["name"], b["input"]) for b in content if b["type"] == "tool_use"]
    assert calls == [("get_weather", PARIS)] * quirk.calls


@every_break
def test_a_message_that_breaks_off_says_so(client: httpx.Client, quirk: Quirk) -> None:
    events = streamed(client, "/messages", as_message(quirk))
    assert_message_events(events)
    assert events[-1]["type"] == "error"
    told = "".join(e["delta"].get("text", "") for e in events if "delta" in e)
    assert told.startswith(quirk.text)


def test_callers_of_open_responses_get_its_names(client: httpx.Client) -> None:
    body = {"model": "@cf/openai/gpt-oss-120b", "input": "Why?", "stream": True}
    usual = client.post("/responses", json=body).text
    version = {"openresponses-version": "latest"}
    told = client.post("/responses", json=body, headers=version).text
    assert "event: response.reasoning_text.delta" in usual
    assert "[DONE]" not in usual
    names = {line[7:] for line in told.splitlines() if line.startswith("event: ")}
    assert {"response.reasoning.delta", "response.reasoning.done"} <= names
    assert not {name for name in names if "reasoning_text" in name}
    assert told.endswith("\n\ndata: [DONE]\n\n")
