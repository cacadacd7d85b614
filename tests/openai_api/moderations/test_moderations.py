"""`POST /v1/moderations` against a live gateway."""

from typing import Any

import httpx
import pytest

from openai_api.moderations.categories import BY_HAZARD, CATEGORIES
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, new_id
from workers_ai.simulator.serve import RunningSimulator

GUARD = "@cf/meta/llama-guard-3-8b"
BOMB = "How do I build a bomb?"


def moderate(
    client: httpx.Client, input: Any, *, request_id: str = "", **fields: Any
) -> httpx.Response:
    return client.post(
        "/moderations",
        json={"input": input, **fields},
        headers={"x-request-id": request_id or new_id()},
    )


def judged(response: httpx.Response, model: str = "omni-moderation-latest") -> list[set[str]]:
    """The true categories of each result of an answer that is as OpenAI has it."""
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"id", "model", "results"}
    assert body["id"].startswith("modr-")
    assert body["model"] == model
    found = []
    for result in body["results"]:
        assert set(result) == {
            "flagged",
            "categories",
            "category_scores",
            "category_applied_input_types",
        }
        assert set(result["categories"]) == set(CATEGORIES)
        assert all(type(value) is bool for value in result["categories"].values())
        assert set(result["category_scores"]) == set(CATEGORIES)
        assert all(type(score) is float for score in result["category_scores"].values())
        true = {name for name, value in result["categories"].items() if value}
        assert result["flagged"] == bool(true)
        assert {name for name, score in result["category_scores"].items() if score > 0.5} == true
        found.append(true)
    return found


def test_a_text_is_judged(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = moderate(client, BOMB, request_id=request_id)
    assert judged(response) == [set(BY_HAZARD["S9"])]
    [call] = upstream.requests
    assert call.path.endswith(f"/run/{GUARD}")
    assert call.body["messages"] == [{"role": "user", "content": BOMB}]
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.endpoint, row.end_reason) == (200, "moderations", "complete")
    assert (row.requested_model, row.model) == ("omni-moderation-latest", GUARD)
    assert row.usage_source == "upstream"
    assert row.prompt_tokens
    assert row.completion_tokens


@pytest.mark.parametrize("name", ["omni-moderation-latest", "text-moderation-stable", GUARD])
def test_openais_names_mean_the_catalogs_model(client: httpx.Client, name: str) -> None:
    assert judged(moderate(client, "A cat", model=name), name) == [set()]


def test_several_texts_get_a_result_each(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    texts = ["A cat", BOMB, "An erotic tale", "A dog"]
    response = moderate(client, texts, request_id=request_id)
    assert judged(response) == [set(), set(BY_HAZARD["S9"]), {"sexual"}, set()]
    assert len(upstream.requests) == 4
    assert gateway.row(request_id).attempts == 4


def test_parts_are_judged_together(client: httpx.Client, upstream: RunningSimulator) -> None:
    parts = [{"type": "text", "text": "A cat"}, {"type": "text", "text": BOMB}]
    assert judged(moderate(client, parts)) == [set(BY_HAZARD["S9"])]
    assert len(upstream.requests) == 1


def test_a_verdict_as_text_is_read_too(client: httpx.Client) -> None:
    text = f"{BOMB} With a slur. [simulate verdict-as-text]"
    assert judged(moderate(client, text)) == [{*BY_HAZARD["S9"], *BY_HAZARD["S10"]}]
    assert judged(moderate(client, "A cat [simulate verdict-as-text]")) == [set()]


@pytest.mark.parametrize("value", ["number", "null", "object", "list"])
def test_what_is_no_verdict_is_not_called_safe(client: httpx.Client, value: str) -> None:
    response = moderate(client, f"{BOMB} [simulate odd-response value={value}]")
    assert_openai_error(response, 502, code="upstream_empty")


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": None}, "input", "Missing"),
        ({"input": ""}, "input", "empty"),
        ({"input": 3}, "input", "a string or an array"),
        ({"input": []}, "input", "empty array"),
        ({"input": ["a", ""]}, "input[1]", "empty"),
        ({"input": ["a", {}]}, "input[1]", "a string"),
        ({"input": ["a"] * 101}, "input", "at most 100"),
        ({"input": [{"type": "text"}]}, "input[0].text", "a string"),
        ({"input": [{"type": "text", "text": "a"}, "b"]}, "input[1]", "an object"),
        ({"input": [{"type": "sound"}]}, "input[0].type", "'text'"),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}]},
            "input[0]",
            "texts only",
        ),
        ({"input": "a", "model": 3}, "model", "a string"),
        ({"input": "a", "model": OPENAI}, "model", "/v1/chat/completions"),
    ],
)
def test_what_cannot_be_done_says_why(
    client: httpx.Client, upstream: RunningSimulator, fields: dict[str, Any], param: str, says: str
) -> None:
    response = client.post("/moderations", json=fields)
    assert_openai_error(response, 400, param=param, says=says)
    assert not upstream.requests


def test_an_unknown_model_is_not_found(client: httpx.Client) -> None:
    response = moderate(client, "A cat", model="gpt-4o")
    assert_openai_error(response, 404, code="model_not_found", param="model")


def test_a_key_without_the_guard_is_told_so(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(allowed_models=["@cf/openai/*"])
    response = httpx.post(
        gateway.url + "/v1/moderations",
        json={"input": "A cat"},
        headers={"authorization": f"Bearer {key}"},
    )
    assert_openai_error(response, 403, code="model_not_allowed", param="model")
