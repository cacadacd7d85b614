"""Who hangs up before the answer pays for what upstream was asked for, on every endpoint."""

from typing import Any

import httpx
import pytest

from openai_api.chat_completions.request import read as read_chat
from openai_api.chat_completions.translate import translate
from openai_api.use import in_flight
from openai_api.use.in_flight import InFlight
from tests.gateway import GatewayProcess
from tests.openai_api.chat_completions.test_translate import model
from tests.openai_api.chats import OPENAI, VLLM, new_id
from workers_ai.simulator.serve import RunningSimulator

PHOENIX = "@cf/leonardo/phoenix-1.0"
MELO = "@cf/myshell-ai/melotts"
AURA = "@cf/deepgram/aura-1"
HI = [{"role": "user", "content": "Hi"}]


def hang_up(gateway: GatewayProcess, upstream: RunningSimulator, path: str, **request: Any) -> Any:
    """The row of a request that is given up while upstream is busy with it."""
    upstream.set_scenario("hang")
    request_id = new_id()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{gateway.url}/v1/{path}",
            headers={"authorization": f"Bearer {gateway.issue_key()}", "x-request-id": request_id},
            timeout=1.5,
            **request,
        )
    row = gateway.row(request_id)
    assert (row.end_reason, row.usage_source) == ("client_gone", "partial")
    return row


def test_every_picture_in_flight_has_its_price(
    gateway: GatewayProcess, upstream: RunningSimulator, client: httpx.Client
) -> None:
    body = {"model": PHOENIX, "prompt": "a cat", "n": 3}
    request_id = new_id()
    client.post("/images/generations", json=body, headers={"x-request-id": request_id})
    whole = gateway.row(request_id)
    row = hang_up(gateway, upstream, "images/generations", json=body)
    assert row.images == 3
    assert row.cost_nano_usd == whole.cost_nano_usd > 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"model": VLLM, "messages": HI, "max_tokens": 20_000}),
        ("chat/completions", {"model": VLLM, "messages": HI, "max_tokens": 20_000, "stream": True}),
        ("messages", {"model": VLLM, "messages": HI, "max_tokens": 20_000}),
        ("responses", {"model": VLLM, "input": "Hi", "max_output_tokens": 20_000}),
        ("completions", {"model": OPENAI, "prompt": "Hi", "max_tokens": 20_000}),
    ],
)
def test_a_chat_has_the_tokens_of_the_time_that_passed(
    gateway: GatewayProcess, upstream: RunningSimulator, path: str, body: dict[str, Any]
) -> None:
    row = hang_up(gateway, upstream, path, json=body)
    assert 0 < row.completion_tokens < 20_000
    assert row.prompt_tokens
    assert row.cost_nano_usd


def test_a_chat_is_never_charged_more_than_its_limit(
    gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    body = {"model": VLLM, "messages": HI, "max_tokens": 7}
    assert hang_up(gateway, upstream, "chat/completions", json=body).completion_tokens == 7


def test_all_choices_in_flight_count(gateway: GatewayProcess, upstream: RunningSimulator) -> None:
    body = {"model": OPENAI, "prompt": ["Hi", "Ho"], "n": 2, "max_tokens": 5}
    row = hang_up(gateway, upstream, "completions", json=body)
    assert row.completion_tokens == 20


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("embeddings", {"model": "@cf/baai/bge-m3", "input": ["a" * 400] * 3}),
        (
            "rerank",
            {"model": "@cf/baai/bge-reranker-base", "query": "a", "documents": ["b" * 400] * 3},
        ),
        ("moderations", {"model": "@cf/meta/llama-guard-3-8b", "input": ["a" * 400] * 3}),
    ],
)
def test_texts_in_flight_count(
    gateway: GatewayProcess, upstream: RunningSimulator, path: str, body: dict[str, Any]
) -> None:
    row = hang_up(gateway, upstream, path, json=body)
    assert row.prompt_tokens >= 100
    assert row.cost_nano_usd or path == "moderations"  # of a model without a price


@pytest.mark.parametrize("voice", [MELO, AURA])
def test_speech_counts_whole(
    gateway: GatewayProcess, upstream: RunningSimulator, voice: str
) -> None:
    body = {"model": voice, "input": "a" * 1000}
    assert hang_up(gateway, upstream, "audio/speech", json=body).cost_nano_usd


def test_when_one_call_fails_those_beside_it_count(
    gateway: GatewayProcess, upstream: RunningSimulator, client: httpx.Client
) -> None:
    """One prompt that upstream refuses at once must not make the others free."""
    request_id = new_id()
    prompts = ["[simulate hang]"] * 7 + ["[simulate error-7003]"]
    response = client.post(
        "/completions",
        json={"model": OPENAI, "prompt": prompts, "max_tokens": 5},
        headers={"x-request-id": request_id},
    )
    assert response.status_code >= 400
    row = gateway.row(request_id)
    assert row.prompt_tokens
    assert row.cost_nano_usd


def test_time_is_counted_from_when_upstream_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    call = InFlight("m", 400, 10_000)
    began = call._since
    for passed_s, tokens in ((0, 0), (0.5, 50), (2, 200), (1e6, 10_000)):
        monkeypatch.setattr(in_flight.time, "monotonic", lambda at=began + passed_s: at)
        assert call.metered().quantities.completion_tokens == tokens
        assert call.metered().quantities.prompt_tokens == 100


def test_pictures_count_in_prompts_that_nobody_counted() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = {"role": "user", "content": [{"type": "text", "text": "a" * 4}, picture, picture]}
    plan = translate(
        read_chat({"model": "m", "messages": [message]}), model(vision=True), default_max_tokens=9
    )
    call = InFlight("m", plan.prompt_characters, 9, plan.picture_tokens)
    assert call.metered().quantities.prompt_tokens == 2001
