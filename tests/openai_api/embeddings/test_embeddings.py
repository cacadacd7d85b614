"""`POST /v1/embeddings` against a live gateway."""

import base64
import math
import struct
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, new_id
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks.embeddings import vector

BASE = "@cf/baai/bge-base-en-v1.5"  # 100 texts a run, 768 dimensions, two poolings
M3 = "@cf/baai/bge-m3"
QWEN = "@cf/qwen/qwen3-embedding-0.6b"  # 32 texts a run, may be shortened
GEMMA = "@cf/google/embeddinggemma-300m"  # no limit in its schema, no price


def embed(
    client: httpx.Client, input: Any, model: str = BASE, *, request_id: str = "", **fields: Any
) -> httpx.Response:
    return client.post(
        "/embeddings",
        json={"model": model, "input": input, **fields},
        headers={"x-request-id": request_id or new_id()},
    )


def vectors(response: httpx.Response, model: str = BASE) -> list[Any]:
    """The embeddings of an answer that is as OpenAI has it."""
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"object", "data", "model", "usage"}
    assert (body["object"], body["model"]) == ("list", model)
    assert set(body["usage"]) - {"cost"} == {"prompt_tokens", "total_tokens"}
    assert [entry["index"] for entry in body["data"]] == list(range(len(body["data"])))
    for entry in body["data"]:
        assert set(entry) == {"object", "index", "embedding"}
        assert entry["object"] == "embedding"
    return [entry["embedding"] for entry in body["data"]]


def length(numbers: list[float]) -> float:
    return math.sqrt(sum(number * number for number in numbers))


def test_one_text_and_a_list_of_one_are_the_same(client: httpx.Client) -> None:
    [alone] = vectors(embed(client, "a cat"))
    [listed] = vectors(embed(client, ["a cat"]))
    assert alone == listed == vector("a cat", 768)


def test_more_texts_than_the_model_takes_are_split_and_joined_in_order(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    texts = [f"text number {n}" for n in range(70)]
    request_id = new_id()
    response = embed(client, texts, QWEN, request_id=request_id, user="ada")
    assert vectors(response, QWEN) == [vector(text, 1024) for text in texts]
    assert sorted(len(run.body["text"]) for run in upstream.requests) == [6, 32, 32]
    tokens = response.json()["usage"]["total_tokens"]
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.endpoint, row.end_reason) == (200, "embeddings", "complete")
    assert (row.prompt_tokens, row.usage_source, row.attempts) == (tokens, "upstream", 3)
    assert (row.model, row.user, row.stream) == (QWEN, "ada", False)
    assert row.cost_nano_usd == tokens * 12  # 0.012 USD a million
    assert row.neurons_micro


def test_a_batch_that_upstream_finds_too_large_is_halved(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    texts = [f"[simulate batch-tokens tokens=60]{'字' * 10}{n}" for n in range(20)]
    request_id = new_id()
    response = embed(client, texts, GEMMA, request_id=request_id)
    assert len(vectors(response, GEMMA)) == 20
    counts = [len(run.body["text"]) for run in upstream.requests]
    assert (counts[0], sum(count for count in counts if count <= 5)) == (20, 20)
    assert gateway.row(request_id, timeout_s=0.5).attempts == len(counts)


def test_one_text_that_is_too_long_names_the_input(client: httpx.Client) -> None:
    response = embed(client, f"[simulate batch-tokens tokens=60]{'字' * 100}", GEMMA)
    error = assert_openai_error(response, 400, code="context_length_exceeded")
    assert error["param"] == "input"
    assert "60" in error["message"]


def test_base64_is_little_endian_floats_of_four_bytes(client: httpx.Client) -> None:
    [text] = vectors(embed(client, "a cat", encoding_format="base64"))
    numbers = struct.unpack("<768f", base64.b64decode(text, validate=True))
    assert numbers == pytest.approx(vector("a cat", 768), abs=1e-6)


@pytest.mark.parametrize(("model", "whole"), [(QWEN, 1024), (GEMMA, 768)])
def test_a_vector_made_for_it_is_shortened_to_a_unit_vector(
    client: httpx.Client, model: str, whole: int
) -> None:
    [shortened] = vectors(embed(client, "a cat and a dog", model, dimensions=256), model)
    beginning = vector("a cat and a dog", whole)[:256]
    assert len(shortened) == 256
    assert length(shortened) == pytest.approx(1)
    assert shortened == pytest.approx([x / length(beginning) for x in beginning])


def test_the_length_that_a_vector_has_is_no_shortening(client: httpx.Client) -> None:
    assert vectors(embed(client, "a cat", M3, dimensions=1024), M3) == [vector("a cat", 1024)]


def test_pooling_is_passed_on(client: httpx.Client) -> None:
    assert vectors(embed(client, "a cat", pooling="cls")) == [vector("a cat", 768, "cls")]


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": None}, "input", "Missing"),
        ({"input": ""}, "input", "empty"),
        ({"input": []}, "input", "empty array"),
        ({"input": ["a", ""]}, "input[1]", "empty"),
        ({"input": {}}, "input", "a string or an array of strings"),
        ({"input": ["a", None]}, "input[1]", "null"),
        ({"input": ["a", True]}, "input[1]", "boolean"),
        ({"input": [1, 2, 3]}, "input", "check_embedding_ctx_length"),
        ({"input": [[1, 2], [3]]}, "input", "send the text itself"),
        ({"input": ["a"] * 2049}, "input", "at most 2048"),
        ({"encoding_format": "binary"}, "encoding_format", "'float', 'base64'"),
        ({"dimensions": 0}, "dimensions", "at least 1"),
        ({"dimensions": "many"}, "dimensions", "an integer"),
        ({"dimensions": 256}, "dimensions", "768 dimensions"),
        ({"dimensions": 256, "model": M3}, "dimensions", "1024 dimensions"),
        ({"dimensions": 16, "model": QWEN}, "dimensions", "from 32 to 1024"),
        ({"dimensions": 2048, "model": QWEN}, "dimensions", "from 32 to 1024"),
        ({"pooling": "max"}, "pooling", "'mean', 'cls'"),
        ({"pooling": "cls", "model": M3}, "pooling", "one way of pooling"),
        ({"model": None}, "model", "Missing"),
        ({"model": OPENAI}, "model", "/v1/chat/completions"),
    ],
)
def test_what_cannot_be_done_says_why(
    client: httpx.Client, upstream: RunningSimulator, fields: dict[str, Any], param: str, says: str
) -> None:
    response = client.post("/embeddings", json={"model": BASE, "input": "a cat", **fields})
    assert_openai_error(response, 400, param=param, says=says)
    assert not upstream.requests


def test_a_text_that_is_too_long_is_refused_in_upstreams_words(client: httpx.Client) -> None:
    response = embed(client, "word " * 600)
    assert_openai_error(response, 400, code="invalid_request", says="512 tokens")


def test_a_context_that_is_too_long_names_the_input(client: httpx.Client) -> None:
    response = embed(client, "a cat [simulate error-3010]")
    assert_openai_error(response, 400, code="context_length_exceeded", param="input")


def test_usage_that_upstream_does_not_report_is_estimated(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    response = embed(client, "a cat on a mat [simulate no-usage]", request_id=request_id)
    assert vectors(response)
    row = gateway.row(request_id, timeout_s=0.5)
    assert row.usage_source == "estimated"
    assert row.prompt_tokens == response.json()["usage"]["prompt_tokens"] > 0


def test_one_batch_that_fails_fails_all(gateway: GatewayProcess, client: httpx.Client) -> None:
    request_id = new_id()
    texts = ["a cat [simulate error-5006]"] + ["a dog"] * 40
    assert_openai_error(embed(client, texts, QWEN, request_id=request_id), 400)
    row = gateway.row(request_id)
    assert (row.status, row.end_reason) == (400, "upstream_error")


def test_an_answer_without_a_vector_for_each_text_is_no_answer(client: httpx.Client) -> None:
    response = embed(client, "a cat [simulate odd-response]")
    assert_openai_error(response, 502, code="upstream_empty")
