"""`usage.cost` of every endpoint that tells usage, whole and streamed: the ledger's own figure."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, VLLM, chat_body, new_id
from workers_ai.simulator.tasks import sound

SAID = [{"role": "user", "content": "Say five small words"}]
RECORDING = sound.wav("one two three four five six seven eight nine ten", 4000)

JSON_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/chat/completions", chat_body()),
    "chat that thinks": ("/chat/completions", chat_body(model=VLLM)),
    "chat streamed": (
        "/chat/completions",
        chat_body(stream=True, stream_options={"include_usage": True}),
    ),
    "completions": ("/completions", {"model": OPENAI, "prompt": ["a", "b"], "max_tokens": 20}),
    "completions streamed": (
        "/completions",
        {
            "model": OPENAI,
            "prompt": "a",
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    "responses": ("/responses", {"model": OPENAI, "input": "Say hello"}),
    "responses streamed": ("/responses", {"model": VLLM, "input": "Say hello", "stream": True}),
    "messages": ("/messages", {"model": OPENAI, "max_tokens": 90, "messages": SAID}),
    "messages streamed": (
        "/messages",
        {"model": OPENAI, "max_tokens": 90, "messages": SAID, "stream": True},
    ),
    "embeddings": ("/embeddings", {"model": "@cf/baai/bge-m3", "input": ["one", "two"]}),
    "images": ("/images/generations", {"model": "@cf/leonardo/phoenix-1.0", "prompt": "A house"}),
    "rerank": (
        "/rerank",
        {"model": "@cf/baai/bge-reranker-base", "query": "cat", "documents": ["cat", "dog"]},
    ),
    "decisions": (
        "/decisions",
        {
            "model": "@cf/cloudflare/clef-omni",
            "input": "Twice charged",
            "questions": [{"type": "predicate", "instructions": "It was charged twice."}],
        },
    ),
    "speech streamed": (
        "/audio/speech",
        {
            "model": "@cf/deepgram/aura-1",
            "input": "one two",
            "voice": "alloy",
            "stream_format": "sse",
        },
    ),
}


def usages(value: Any) -> Iterator[dict[str, Any]]:
    """Every `usage` object in an answer, in the order in which it was told."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "usage" and isinstance(inner, dict):
                yield inner
            else:
                yield from usages(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from usages(inner)


def told(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    if not response.headers["content-type"].startswith("text/event-stream"):
        return list(usages(response.json()))
    lines = (line for line in response.text.splitlines() if line.startswith("data: {"))
    return [usage for line in lines for usage in usages(json.loads(line[6:]))]


@pytest.mark.parametrize("case", JSON_BODIES)
def test_usage_tells_the_cost_of_the_row(
    client: httpx.Client, gateway: GatewayProcess, case: str
) -> None:
    path, body = JSON_BODIES[case]
    request_id = new_id()
    response = client.post(path, json=body, headers={"x-request-id": request_id})
    last = told(response)[-1]
    row = gateway.row(request_id)
    assert row.cost_nano_usd is not None
    assert row.cost_nano_usd > 0
    assert round(last["cost"] * 10**9) == row.cost_nano_usd
    assert last["cost"] == row.cost_nano_usd / 10**9


@pytest.mark.parametrize("form", ["json", "verbose_json"])
def test_a_transcript_tells_its_cost(
    client: httpx.Client, gateway: GatewayProcess, form: str
) -> None:
    request_id = new_id()
    response = client.post(
        "/audio/transcriptions",
        data={"model": "@cf/openai/whisper-large-v3-turbo", "response_format": form},
        files={"file": ("speech.wav", RECORDING)},
        headers={"x-request-id": request_id},
    )
    cost_nano_usd = gateway.row(request_id).cost_nano_usd
    assert cost_nano_usd
    assert told(response)[0]["cost"] == cost_nano_usd / 10**9


def test_a_stream_without_usage_tells_no_cost(client: httpx.Client) -> None:
    assert told(client.post("/chat/completions", json=chat_body(stream=True))) == []


@pytest.mark.parametrize("case", ["chat", "responses streamed", "messages", "embeddings", "images"])
def test_the_cost_is_left_out_where_the_operator_says_so(
    tuned_client: httpx.Client, case: str
) -> None:
    path, body = JSON_BODIES[case]
    assert not any("cost" in usage for usage in told(tuned_client.post(path, json=body)))


def test_a_key_tells_its_last_request(gateway: GatewayProcess) -> None:
    headers = {"authorization": f"Bearer {gateway.issue_key()}"}

    def last() -> Any:
        return httpx.get(gateway.url + "/v1/key", headers=headers).json()["data"]["last_request"]

    assert last() is None
    url = gateway.url + "/v1/chat/completions"
    httpx.post(url, json=chat_body("90 words"), headers=headers)
    second = httpx.post(url, json=chat_body(), headers={**headers, "x-request-id": new_id()})
    assert last()["id"] == second.headers["x-request-id"]
    assert last()["cost"] == second.json()["usage"]["cost"]
    assert last()["model"] == OPENAI


@pytest.mark.parametrize("model", [OPENAI, VLLM])
def test_tokens_of_thoughts_are_the_same_in_chats_and_responses(
    client: httpx.Client, gateway: GatewayProcess, model: str
) -> None:
    chat = client.post("/chat/completions", json=chat_body("Say hello", model)).json()["usage"]
    asked = {"model": model, "input": [{"role": "user", "content": "Say hello"}]}
    responded = client.post("/responses", json=asked).json()["usage"]
    thoughts = chat["completion_tokens_details"]["reasoning_tokens"]
    assert thoughts == responded["output_tokens_details"]["reasoning_tokens"]
    assert (thoughts > 0) == (model == VLLM)
    assert thoughts < chat["completion_tokens"]


@pytest.mark.parametrize("fields", [{"include_reasoning": False}, {"reasoning": {"exclude": True}}])
@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_are_left_out_on_request(
    client: httpx.Client, fields: dict[str, Any], streamed: bool
) -> None:
    body = chat_body("Say hello", VLLM, stream=streamed, **fields)
    body["stream_options"] = {"include_usage": True} if streamed else None
    response = client.post("/chat/completions", json=body)
    assert "reasoning_content" not in response.text
    assert "hello" in response.text.lower()
    assert told(response)[-1]["completion_tokens_details"]["reasoning_tokens"] > 0
