"""Thoughts as opaque texts: written, read back, and never taken from anybody else's."""

import base64
from typing import Any

import httpx
import pytest

from openai_api.chat_completions.sealed import MARK, opened, sealed
from openai_api.responses.request import read
from openai_api.responses.translate import translate
from tests.openai_api.chats import VLLM
from tests.openai_api.event_rules import assert_response, assert_response_events, events_of


@pytest.mark.parametrize("thought", ["", "Let me look.", "Grüße 🙂\n" * 50, "a\ud800b"])
def test_a_thought_is_read_back(thought: str) -> None:
    assert opened(sealed(thought)) == thought.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "gAAAAABm", base64.b64encode(b"Let me look.").decode(), MARK + "!!", MARK + "a"],
)
def test_what_others_sealed_is_left_alone(text: Any) -> None:
    assert opened(text) == ""


@pytest.mark.parametrize(
    ("fields", "thought"),
    [
        ({"content": [{"type": "reasoning_text", "text": "shown"}]}, "shown"),
        ({"content": None}, "sealed thought"),
        ({"content": [], "summary": [{"type": "summary_text", "text": "short"}]}, "sealed thought"),
        ({"encrypted_content": "x", "summary": [{"text": "short"}]}, "short"),
    ],
)
def test_the_input_takes_the_thought_from_where_there_is_most(
    fields: dict[str, Any], thought: str
) -> None:
    item = {
        "type": "reasoning",
        "summary": [],
        "encrypted_content": sealed("sealed thought"),
        **fields,
    }
    said = {"role": "assistant", "content": "Hello"}
    chat, _ = translate(read({"model": "m", "input": [item, said]}))
    assert chat.messages[0]["reasoning_content"] == thought


@pytest.mark.parametrize("include", [[], ["reasoning.encrypted_content"]])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("summary", [None, "auto"])
def test_it_is_given_where_it_is_asked_for(
    client: httpx.Client, include: list[str], streamed: bool, summary: str | None
) -> None:
    body = {"model": VLLM, "input": "Say hello", "include": include, "stream": streamed}
    answer = client.post("/responses", json={**body, "reasoning": {"summary": summary}})
    if streamed:
        response = assert_response_events(events_of(answer.content))
    else:
        response = answer.json()
        assert_response(response)
    item = response["output"][0]
    assert item["type"] == "reasoning"
    if include:
        [part] = item.get("content") or item["summary"]
        assert opened(item["encrypted_content"]) == part["text"]
    else:
        assert "encrypted_content" not in item
