"""`POST /v1/rerank` against a live gateway."""

from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, new_id
from workers_ai.simulator.serve import RunningSimulator

RERANKER = "@cf/baai/bge-reranker-base"
QUERY = "Where do cats sleep?"
DOCUMENTS = ["Bread is baked in ovens.", "Cats sleep on warm windowsills.", "Cats like fish."]


def rerank(client: httpx.Client, *, request_id: str = "", **fields: Any) -> httpx.Response:
    return client.post(
        "/rerank",
        json={"model": RERANKER, "query": QUERY, "documents": DOCUMENTS, **fields},
        headers={"x-request-id": request_id or new_id()},
    )


def results(response: httpx.Response) -> list[dict[str, Any]]:
    """The results of an answer in the form that clients of rerankers read."""
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"id", "object", "model", "results", "usage", "meta"}
    assert body["id"].startswith("rerank-")
    assert body["model"] == RERANKER
    found: list[dict[str, Any]] = body["results"]
    scores = [one["relevance_score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    return found


def test_documents_come_back_best_first(gateway: GatewayProcess, client: httpx.Client) -> None:
    request_id = new_id()
    response = rerank(client, request_id=request_id, user="ada")
    found = results(response)
    assert found[0]["index"] == 1
    assert sorted(one["index"] for one in found) == [0, 1, 2]
    assert all(set(one) == {"index", "relevance_score"} for one in found)
    usage = response.json()["usage"]
    assert usage["prompt_tokens"] == usage["total_tokens"] > 0
    assert response.json()["meta"]["tokens"]["input_tokens"] == usage["prompt_tokens"]
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.endpoint, row.end_reason) == (200, "rerank", "complete")
    assert (row.prompt_tokens, row.usage_source) == (usage["prompt_tokens"], "upstream")
    # The catalog names no price, so it costs what upstream says that it billed.
    assert row.neurons_micro
    assert row.cost_nano_usd == round(row.neurons_micro * 0.011)


@pytest.mark.parametrize("name", ["top_n", "top_k"])
def test_top_n_asks_for_so_many(
    client: httpx.Client, upstream: RunningSimulator, name: str
) -> None:
    assert [one["index"] for one in results(rerank(client, **{name: 1}))] == [1]
    assert upstream.requests[-1].body["top_k"] == 1
    assert len(results(rerank(client, **{name: 50}))) == 3


@pytest.mark.parametrize(
    ("documents", "shown"),
    [
        (DOCUMENTS, {"text": DOCUMENTS[1]}),
        (
            [{"text": text, "page": n} for n, text in enumerate(DOCUMENTS)],
            {"text": DOCUMENTS[1], "page": 1},
        ),
    ],
)
def test_documents_are_returned_when_asked_for(
    client: httpx.Client, documents: list[Any], shown: dict[str, Any]
) -> None:
    found = results(rerank(client, documents=documents, return_documents=True))
    assert found[0]["document"] == shown


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"query": None}, "query", "Missing"),
        ({"query": "  "}, "query", "not empty"),
        ({"query": ["a"]}, "query", "a string"),
        ({"documents": None}, "documents", "Missing"),
        ({"documents": "a"}, "documents", "an array"),
        ({"documents": []}, "documents", "empty array"),
        ({"documents": ["a"] * 1001}, "documents", "at most 1000"),
        ({"documents": ["a", 3]}, "documents[1]", "an object with 'text'"),
        ({"documents": ["a", ""]}, "documents[1]", "empty"),
        ({"documents": [{"title": "a"}]}, "documents[0].text", "Missing"),
        ({"documents": [{"text": 3}]}, "documents[0].text", "a string"),
        ({"top_n": 0}, "top_n", "at least 1"),
        ({"return_documents": "yes"}, "return_documents", "a boolean"),
        ({"model": "@cf/baai/bge-m3"}, "model", "/v1/embeddings"),
        ({"model": "@cf/huggingface/distilbert-sst-2-int8"}, "model", "no query and documents"),
    ],
)
def test_what_cannot_be_done_says_why(
    client: httpx.Client, upstream: RunningSimulator, fields: dict[str, Any], param: str, says: str
) -> None:
    assert_openai_error(rerank(client, **fields), 400, param=param, says=says)
    assert not upstream.requests


def test_a_reranker_at_the_chat_says_where_it_belongs(client: httpx.Client) -> None:
    body = {"model": RERANKER, "messages": [{"role": "user", "content": "Hi"}]}
    response = client.post("/chat/completions", json=body)
    assert_openai_error(response, 400, code="model_not_supported", says="POST /v1/rerank")


def test_scores_of_nothing_are_no_answer(client: httpx.Client) -> None:
    response = rerank(client, query="cats [simulate odd-response]")
    assert_openai_error(response, 502, code="upstream_empty")


def test_a_chat_model_does_not_rank(client: httpx.Client) -> None:
    assert_openai_error(rerank(client, model=OPENAI), 400, param="model", says="chat/completions")


@pytest.mark.parametrize(
    "path", ["/v2/rerank", "/v2/rerank/", "/v1/v2/rerank", "/rerank", "/v1/rerank"]
)
def test_cohere_finds_it_at_each_of_its_paths(gateway: GatewayProcess, key: str, path: str) -> None:
    """As `cohere.ClientV2` asks and reads."""
    response = httpx.post(
        gateway.url + path,
        json={"model": RERANKER, "query": QUERY, "documents": DOCUMENTS, "top_n": 2},
        headers={"authorization": f"Bearer {key}"},
    )
    assert response.status_code == 200, response.text
    body = response.json()
    assert len(body["results"]) == 2
    assert {*body["results"][0]} == {"index", "relevance_score"}
    assert body["id"] and body["meta"]
    unknown = httpx.post(gateway.url + "/v2/nothing", json={})
    assert_openai_error(unknown, 404)
