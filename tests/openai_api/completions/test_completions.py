"""`POST /v1/completions` against a live gateway."""

import json
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, REASONING, THINK, VLLM, new_id
from tests.openai_api.schemas import assert_text_chunks, assert_text_completion
from workers_ai.simulator.serve import RunningSimulator


def complete(
    client: httpx.Client,
    prompt: Any = "Say 42 birds",
    model: str = OPENAI,
    *,
    request_id: str = "",
    **fields: Any,
) -> httpx.Response:
    return client.post(
        "/completions",
        json={"model": model, "prompt": prompt, **fields},
        headers={"x-request-id": request_id or new_id()},
    )


def texts(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    assert_text_completion(response.json())
    return [choice["text"] for choice in response.json()["choices"]]


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream that ended as it should."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert_text_chunks(chunks)
    return chunks


def streamed_text(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])


@pytest.mark.parametrize("model", [LEGACY, OPENAI, VLLM, REASONING, THINK])
def test_a_prompt_is_answered_whole_and_streamed(client: httpx.Client, model: str) -> None:
    assert texts(complete(client, model=model)) == ["42 birds"]
    chunks = chunks_of(complete(client, ["Say 42 birds"], model, stream=True))
    assert streamed_text(chunks) == "42 birds"
    assert chunks[0]["model"] == model


def test_a_completion_has_its_row(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = complete(client, request_id=request_id, user="ada", max_tokens=50, temperature=0.2)
    usage = response.json()["usage"]
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.endpoint, row.stream) == (200, "completions", False)
    assert (row.end_reason, row.finish_reason, row.user) == ("complete", "stop", "ada")
    assert (row.prompt_tokens, row.completion_tokens) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    # 0.29 and 2.25 USD a million.
    assert row.cost_nano_usd == usage["prompt_tokens"] * 290 + usage["completion_tokens"] * 2250
    [sent] = upstream.requests
    assert sent.body["messages"] == [{"role": "user", "content": "Say 42 birds"}]
    assert (sent.body["max_tokens"], sent.body["temperature"]) == (50, 0.2)
    assert "prompt" not in sent.body


def test_a_stream_has_its_row_and_usage_for_those_who_ask(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    options = {"include_usage": True}
    response = complete(client, request_id=request_id, stream=True, stream_options=options)
    usage = chunks_of(response)[-1]["usage"]
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.endpoint, row.stream, row.usage_source) == ("completions", True, "upstream")
    assert row.completion_tokens == usage["completion_tokens"] > 0


def test_choices_are_those_of_each_prompt_in_turn(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = complete(client, ["Say one", "Say two"], n=2, seed=7, request_id=request_id)
    assert texts(response) == ["one", "one", "two", "two"]
    assert sorted(request.body["seed"] for request in upstream.requests) == [7, 7, 8, 8]
    row = gateway.row(request_id, timeout_s=0.5)
    assert row.attempts == 4
    assert row.completion_tokens == response.json()["usage"]["completion_tokens"]


def test_an_answer_at_its_limit_says_so(client: httpx.Client) -> None:
    response = complete(client, "Count from 1 to 50", max_tokens=5)
    assert texts(response)
    assert response.json()["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("model", [LEGACY, VLLM])
def test_a_stop_sequence_stops(client: httpx.Client, model: str) -> None:
    assert texts(complete(client, "Say one two three", model, stop=" two")) == ["one"]


def test_a_stream_that_breaks_off_ends_with_an_error(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    prompt = "Say a b c d e f g h [simulate cut-stream after=3]"
    response = complete(client, prompt, stream=True, request_id=request_id)
    last = [line for line in response.text.splitlines() if line.startswith("data: ")][-1]
    assert json.loads(last[6:])["error"]["code"] == "upstream_cut"
    assert gateway.row(request_id).end_reason == "upstream_cut"


def test_one_choice_that_fails_fails_all(client: httpx.Client) -> None:
    response = complete(client, ["Say one", "Say two [simulate error-3010]"])
    assert_openai_error(response, 400, code="context_length_exceeded", param="prompt")


def test_an_empty_success_is_asked_for_once_more(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("empty-success", times=1)
    assert texts(complete(client)) == ["42 birds"]
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"prompt": None}, "prompt", "Missing"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": []}, "prompt", "empty array"),
        ({"prompt": {}}, "prompt", "a string or an array"),
        ({"prompt": ["a", None]}, "prompt[1]", "null"),
        ({"prompt": [1, 2]}, "prompt", "tokens"),
        ({"prompt": [[1, 2]]}, "prompt", "tokens"),
        ({"prompt": ["a"] * 33}, "prompt", "at most 32"),
        ({"prompt": ["a"] * 5, "n": 7}, "n", "at most 6"),
        ({"n": 0}, "n", "from 1 to 32"),
        ({"n": 2, "stream": True}, "n", "one choice can be streamed"),
        ({"prompt": ["a", "b"], "stream": True}, "prompt", "one choice can be streamed"),
        ({"echo": True}, "echo", "not supported"),
        ({"suffix": "b"}, "suffix", "not supported"),
        ({"best_of": 2}, "best_of", "not supported"),
        ({"logprobs": 0}, "logprobs", "not supported"),
        ({"echo": "yes"}, "echo", "a boolean"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"temperature": "hot"}, "temperature", "a number"),
        ({"stop": 3}, "stop", "a string or an array"),
        ({"model": None}, "model", "Missing"),
        ({"model": "@cf/baai/bge-m3"}, "model", "/v1/embeddings"),
    ],
)
def test_what_cannot_be_done_says_why(
    client: httpx.Client, upstream: RunningSimulator, fields: dict[str, Any], param: str, says: str
) -> None:
    body = {"model": OPENAI, "prompt": "Say hello", **fields}
    assert_openai_error(client.post("/completions", json=body), 400, param=param, says=says)
    assert not upstream.requests


def test_what_changes_nothing_is_accepted(client: httpx.Client) -> None:
    fields = {"echo": False, "suffix": "", "best_of": 1, "logprobs": None, "logit_bias": {}}
    assert texts(complete(client, **fields)) == ["42 birds"]
