"""A key's limits over HTTP: exact when thirty ask at once, and told in OpenAI's words."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import VLLM, chat_body, new_id
from workers_ai.simulator.serve import RunningSimulator

AT_ONCE = 30


async def ask_at_once(
    gateway: GatewayProcess, key: str, body: dict[str, Any], count: int = AT_ONCE
) -> list[httpx.Response]:
    async with httpx.AsyncClient(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as client:
        return await asyncio.gather(
            *(client.post("/chat/completions", json=body) for _ in range(count))
        )


def statuses(responses: list[httpx.Response]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


async def test_requests_per_minute_are_exact_when_many_come_at_once(
    gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    key = gateway.issue_key(requests_per_minute=7)
    responses = await ask_at_once(gateway, key, chat_body())
    assert statuses(responses) == {200: 7, 429: AT_ONCE - 7}
    assert len(upstream.requests) == 7


@pytest.mark.parametrize("streamed", [False, True])
async def test_requests_at_once_are_exact(
    gateway: GatewayProcess, upstream: RunningSimulator, streamed: bool
) -> None:
    key = gateway.issue_key(concurrency=5)
    body = chat_body("Hi [simulate slow seconds=2]", stream=streamed)
    responses = await ask_at_once(gateway, key, body)
    assert statuses(responses) == {200: 5, 429: AT_ONCE - 5}


async def test_a_finished_request_makes_room_for_the_next(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(concurrency=1)
    for body in (chat_body(), chat_body(stream=True), chat_body(temperature="hot"), chat_body()):
        [response] = await ask_at_once(gateway, key, body, 1)
        assert response.status_code in (200, 400)


async def test_tokens_per_minute_refuse_once_they_are_used(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(tokens_per_minute=50)
    body = chat_body("60 words", max_tokens=60)
    first = (await ask_at_once(gateway, key, body, 1))[0]
    assert first.status_code == 200
    second = (await ask_at_once(gateway, key, body, 1))[0]
    error = assert_openai_error(second, 429, code="rate_limit_exceeded", says="tokens per minute")
    assert error["type"] == "tokens"


async def test_a_refusal_names_the_limit_and_when_to_come_back(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(requests_per_minute=1)
    responses = await ask_at_once(gateway, key, chat_body(), 2)
    refused = next(response for response in responses if response.status_code == 429)
    error = assert_openai_error(
        refused, 429, code="rate_limit_exceeded", says="requests per minute"
    )
    assert error["type"] == "requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_answers_tell_what_is_left(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(requests_per_minute=10, tokens_per_minute=100_000)
    [answer] = await ask_at_once(gateway, key, chat_body(), 1)
    headers = answer.headers
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "9"
    assert headers["x-ratelimit-limit-tokens"] == "100000"
    assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 100_000
    assert headers["x-ratelimit-reset-requests"].endswith("s")


async def test_refusals_leave_no_rows(gateway: GatewayProcess) -> None:
    record, key = gateway.issue(requests_per_minute=2)
    await ask_at_once(gateway, key, chat_body(), 5)
    gateway.wait_until(lambda: len(gateway.rows(key_id=record.pk)) == 2, "both rows")


def test_one_keys_limit_is_not_anothers(gateway: GatewayProcess) -> None:
    for _ in range(2):
        key = gateway.issue_key(requests_per_minute=1)
        response = httpx.post(
            gateway.url + "/v1/chat/completions",
            json=chat_body(),
            headers={"authorization": f"Bearer {key}", "x-request-id": new_id()},
        )
        assert response.status_code == 200


def test_a_key_for_another_network_is_403(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(allowed_networks=["10.0.0.0/8"])
    response = httpx.post(
        gateway.url + "/v1/chat/completions",
        json=chat_body(),
        headers={"authorization": f"Bearer {key}"},
    )
    assert_openai_error(response, 403, code="address_not_allowed")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "key"),
        ("GET", "models"),
        ("HEAD", "models"),
        ("GET", f"models/{VLLM}"),
        ("POST", "messages/count_tokens"),
        ("POST", "embeddings"),
    ],
)
def test_every_path_looks_at_the_networks_of_a_key(
    gateway: GatewayProcess, method: str, path: str
) -> None:
    key = gateway.issue_key(allowed_networks=["10.0.0.0/8"])
    response = httpx.request(
        method,
        f"{gateway.url}/v1/{path}",
        json=chat_body() if method == "POST" else None,
        headers={"authorization": f"Bearer {key}"},
    )
    assert response.status_code == 403
    if method != "HEAD":
        assert "may not be used from the address" in response.json()["error"]["message"]


def test_reading_about_a_key_has_a_rate_of_its_own(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(requests_per_minute=1)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=gateway.url + "/v1", headers=headers, timeout=30) as client:
        answers = [client.get("/models" if n % 2 else f"/models/{VLLM}") for n in range(61)]
        assert {answer.status_code for answer in answers[:60]} == {200}
        error = assert_openai_error(answers[60], 429, code="rate_limit_exceeded")
        assert "limit of 60 for reading with this API key" in error["message"]
        assert int(answers[60].headers["retry-after"]) <= 60
        assert_openai_error(client.get("/key"), 429, code="rate_limit_exceeded")
        # What runs models is not in the way of it, nor the other way round.
        assert client.post("/chat/completions", json=chat_body()).status_code == 200


def test_counting_tokens_counts_as_a_request(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(requests_per_minute=2)
    body = {"model": VLLM, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=gateway.url + "/v1", headers=headers, timeout=30) as client:
        first = client.post("/messages/count_tokens", json=body)
        assert first.status_code == 200
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert client.post("/chat/completions", json=chat_body()).status_code == 200
        refused = client.post("/messages/count_tokens", json=body)
        assert refused.status_code == 429
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert "retry-after" in refused.headers


def test_counting_tokens_gives_its_slot_back(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(concurrency=1)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=gateway.url + "/v1", headers=headers, timeout=30) as client:
        for body in ({"model": VLLM, "messages": [{"role": "user", "content": "Hi"}]}, {}) * 2:
            assert client.post("/messages/count_tokens", json=body).status_code != 429
        assert client.post("/chat/completions", json=chat_body()).status_code == 200
