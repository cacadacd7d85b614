"""Fields and blocks of Anthropic's dialect that only few clients send, over HTTP."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.openai_api.chats import VLLM
from tests.openai_api.image_edits.test_image_edits import png
from workers_ai.simulator.serve import RunningSimulator

SEES = "@cf/meta/llama-4-scout-17b-16e-instruct"
USER = {"role": "user", "content": "Say hello"}
TOOL = {"name": "Read", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}


def asked(
    client: httpx.Client, upstream: RunningSimulator, *messages: Any, **fields: Any
) -> tuple[httpx.Response, dict[str, Any]]:
    """(response, what was sent upstream)"""
    request = {"model": VLLM, "max_tokens": 300, "messages": messages or (USER,), **fields}
    response = client.post("/messages", json=request)
    assert response.status_code == 200, response.text
    return response, upstream.requests[-1].body


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = response.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_a_request_for_compaction_is_refused_with_the_cure(client: httpx.Client) -> None:
    request = {"model": VLLM, "max_tokens": 300, "messages": [USER]}
    compaction = {"type": "summarize"}
    response = client.post("/messages", json={**request, "compaction": compaction})
    assert response.status_code == 400
    assert "'compaction' is not supported" in response.json()["error"]["message"]
    counted = client.post("/messages/count_tokens", json={**request, "compaction": compaction})
    assert counted.status_code == 200


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_summary_in_a_compaction_is_shown_to_the_model(
    client: httpx.Client, upstream: RunningSimulator, role: str
) -> None:
    summary = {"type": "compaction", "content": "They talked about Oslo.", "signature": "x"}
    failed = {"type": "compaction", "content": None}
    said = [{"role": role, "content": [summary, failed]}, USER]
    _, sent = asked(client, upstream, *said)
    assert "They talked about Oslo." in sent["messages"][0]["content"]


def test_tools_that_a_compaction_removed_stay_away(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    change = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "Read"}}
    compaction = {"type": "compaction", "content": "So far.", "tool_changes": [change]}
    other = {**TOOL, "name": "Write"}
    said = [{"role": "assistant", "content": [compaction]}, USER]
    _, sent = asked(client, upstream, *said, tools=[TOOL, other])
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["Write"]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
        {"type": "mcp_tool_listing", "mcp_server_name": "x", "tools": []},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
    ],
)
def test_what_anthropics_servers_left_in_an_answer_is_left_out_and_named(
    client: httpx.Client, upstream: RunningSimulator, block: dict[str, Any]
) -> None:
    answer = {"role": "assistant", "content": [block, {"type": "text", "text": "Hello."}]}
    response, sent = asked(client, upstream, USER, answer, USER)
    assert response.headers["x-gateway-ignored"] == block["type"]
    assert sent["messages"][1] == {"role": "assistant", "content": "Hello."}


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, "low"),  # the least that this model can
        ({"output_config": {"effort": "high"}}, "high"),
        ({"output_config": {"effort": "high"}, "thinking": {"type": "disabled"}}, "low"),
        ({"output_config": {"effort": "medium"}, "thinking": {"type": "adaptive"}}, "medium"),
    ],
)
def test_an_effort_counts_without_thoughts_that_are_shown(
    client: httpx.Client, upstream: RunningSimulator, fields: dict[str, Any], effort: str
) -> None:
    response, sent = asked(client, upstream, **fields)
    assert sent["reasoning_effort"] == effort
    kinds = [block["type"] for block in response.json()["content"]]
    assert ("thinking" in kinds) == (fields.get("thinking") == {"type": "adaptive"})


def test_a_system_message_sets_the_effort_of_the_turn_that_it_follows(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    sets = {"role": "system", "output_config": {"effort": "high"}}
    _, sent = asked(client, upstream, USER, sets)
    assert (sent["reasoning_effort"], len(sent["messages"])) == ("high", 1)
    answer = {"role": "assistant", "content": "Hello."}
    _, sent = asked(client, upstream, USER, sets, answer, USER)
    assert (sent["reasoning_effort"], len(sent["messages"])) == ("low", 3)
    request = {"model": VLLM, "max_tokens": 9, "messages": [USER, {**sets, "output_config": 1}]}
    assert client.post("/messages", json=request).status_code == 400


def test_a_passing_system_message_is_shown_until_the_user_speaks_again(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    passing = {"role": "system", "content": "Be brief.", "clear_at": "next_user_message"}
    staying = {**passing, "content": "Be kind.", "clear_at": "never"}
    _, sent = asked(client, upstream, USER, passing)
    assert "Be brief." in json.dumps(sent["messages"])
    answer = {"role": "assistant", "content": "Hello."}
    _, sent = asked(client, upstream, USER, passing, staying, answer, USER)
    assert "Be brief." not in json.dumps(sent["messages"])
    assert "Be kind." in json.dumps(sent["messages"])


def test_thoughts_that_are_not_to_be_shown_come_back_in_their_signature(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    shown, _ = asked(client, upstream, thinking={"type": "adaptive"})
    thought = shown.json()["content"][0]["thinking"]
    omitted = {"type": "adaptive", "display": "omitted"}
    response, _ = asked(client, upstream, thinking=omitted)
    block = response.json()["content"][0]
    assert (block["type"], block["thinking"]) == ("thinking", "")
    _, sent = asked(client, upstream, USER, {"role": "assistant", "content": [block]}, USER)
    assert sent["messages"][1]["reasoning"] == thought
    streamed, _ = asked(client, upstream, thinking=omitted, stream=True)
    deltas = [e["delta"]["type"] for e in events(streamed) if e["type"] == "content_block_delta"]
    assert "signature_delta" in deltas
    assert "thinking_delta" not in deltas


@pytest.mark.parametrize(
    "source",
    [
        {"type": "text", "media_type": "text/plain", "data": "It rains."},
        {"type": "content", "content": "It rains."},
        {"type": "content", "content": [{"type": "text", "text": "It rains."}]},
    ],
)
def test_what_a_document_is_about_is_told(
    client: httpx.Client, upstream: RunningSimulator, source: dict[str, Any]
) -> None:
    document = {"type": "document", "title": "News", "context": "of Oslo", "source": source}
    _, sent = asked(client, upstream, {"role": "user", "content": [document]})
    assert sent["messages"][0]["content"] == "News\nof Oslo\nIt rains."


def picture(data: str = "", media_type: str = "image/png") -> dict[str, Any]:
    source = {"type": "base64", "media_type": media_type, "data": data or png_text()}
    return {"type": "image", "source": source}


def png_text() -> str:
    return base64.b64encode(png()).decode()


def in_document(*blocks: Any) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "content", "content": list(blocks)}}


def test_pictures_inside_a_document_are_seen(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    document = in_document({"type": "text", "text": "A chart:"}, picture())
    _, sent = asked(client, upstream, {"role": "user", "content": [document]}, model=SEES)
    kinds = [part["type"] for part in sent["messages"][0]["content"]]
    assert kinds == ["text", "text", "image_url"]


@pytest.mark.parametrize("inside", [picture(), picture("AAAA", "image/svg+xml")])
def test_pictures_in_a_tools_document_never_end_a_conversation(
    client: httpx.Client, upstream: RunningSimulator, inside: dict[str, Any]
) -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [in_document(inside)]}
    said = [USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [result]}]
    _, sent = asked(client, upstream, *said, tools=[TOOL])
    assert sent["messages"][2]["content"]
