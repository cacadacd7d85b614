"""Settings that clients write in several ways, and what is asked of models that cannot do it."""

from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.openai_api.chats import OPENAI, REASONING, SGLANG, VLLM, ask, chat_body, post, stream
from workers_ai.simulator.serve import RunningSimulator

WHOLE: dict[str, Any] = {"n": 1.0, "seed": 7.0, "top_k": 20.0, "max_tokens": 60.0}


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG, REASONING])
def test_a_whole_number_may_have_a_point(
    client: httpx.Client, upstream: RunningSimulator, model: str
) -> None:
    ask(client, model=model, **WHOLE)
    stream(client, model=model, **WHOLE)
    for sent in (request.body for request in upstream.requests):
        assert not [name for name, value in sent.items() if type(value) is float]
    completed = {"model": model, "prompt": "Hi", **WHOLE, "logprobs": None}
    assert client.post("/completions", json=completed).status_code == 200
    responded = {"model": model, "input": "Hi", "seed": 7.0, "max_output_tokens": 60.0}
    assert client.post("/responses", json=responded).status_code == 200
    told = {"model": model, "max_tokens": 60.0, "messages": chat_body()["messages"], "top_k": 4.0}
    assert client.post("/messages", json=told).status_code == 200


@pytest.mark.parametrize("value", [1.5, float(2**60), "1", True])
def test_other_numbers_are_no_whole_numbers(client: httpx.Client, value: Any) -> None:
    assert_openai_error(post(client, chat_body(n=value)), 400, param="n")


def test_log_probabilities_are_given_where_the_model_has_them(client: httpx.Client) -> None:
    choice = ask(client, model=SGLANG, logprobs=True, top_logprobs=2.0)["choices"][0]
    entries = choice["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries) == choice["message"]["content"]
    assert {len(entry["top_logprobs"]) for entry in entries} == {2}
    seen = stream(client, model=SGLANG, logprobs=True)
    told = [c["logprobs"] for chunk in seen.chunks for c in chunk["choices"] if c["logprobs"]]
    assert "".join(entry["token"] for one in told for entry in one["content"]) == seen.text


def test_log_probabilities_are_refused_where_the_model_ignores_them(client: httpx.Client) -> None:
    assert_openai_error(post(client, chat_body(model=VLLM, logprobs=True)), 400, param="logprobs")
    asked = {"model": VLLM, "input": "Hi", "include": ["message.output_text.logprobs"]}
    assert_openai_error(client.post("/responses", json=asked), 400, param="include")
    assert post(client, chat_body(model=VLLM, logprobs=False)).status_code == 200


@pytest.mark.parametrize("model", [VLLM, REASONING, SGLANG])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_short_completion_of_a_reasoning_model_has_text(
    client: httpx.Client, model: str, streamed: bool
) -> None:
    body = {"model": model, "prompt": "Say hello", "max_tokens": 16, "stream": streamed}
    response = client.post("/completions", json=body)
    assert response.status_code == 200
    assert "hello" in response.text.lower()


def test_an_effort_that_is_asked_for_is_kept(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    body = {"model": VLLM, "prompt": "Say hello", "reasoning_effort": "high"}
    client.post("/completions", json=body)
    assert upstream.requests[-1].body["reasoning_effort"] == "high"
