"""`POST /v1/decisions` against a live gateway, also through OpenAI's own SDK."""

import base64
from typing import Any

import httpx
import openai
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, new_id
from workers_ai.simulator.serve import RunningSimulator

CLEF = "@cf/cloudflare/clef-omni"
TICKET = "I was charged twice for the same renewal."
CATEGORY: dict[str, Any] = {
    "type": "choice",
    "name": "category",
    "instructions": "Classify the ticket.",
    "choices": [{"value": "billing"}, {"value": "technical", "description": "Errors, outages."}],
}
TWICE: dict[str, Any] = {"type": "predicate", "instructions": "The customer was charged twice."}
ANGER: dict[str, Any] = {
    "type": "score",
    "name": "anger",
    "instructions": "How angry is the customer?",
    "levels": [{"label": "calm"}, {"label": "cross", "description": "Says so."}],
}
PIXEL = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


def decide(
    client: httpx.Client,
    questions: Any = (CATEGORY, TWICE, ANGER),
    input: Any = TICKET,
    *,
    request_id: str = "",
    **fields: Any,
) -> httpx.Response:
    return client.post(
        "/decisions",
        json={"model": CLEF, "input": input, "questions": questions, **fields},
        headers={"x-request-id": request_id or new_id()},
    )


def sent(upstream: RunningSimulator) -> dict[str, Any]:
    body: dict[str, Any] = upstream.requests[-1].body
    return body


def test_answers_come_in_the_order_of_the_questions(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    response = decide(client, request_id=request_id, safety_identifier="ada")
    assert response.status_code == 200, response.text
    body = response.json()
    choice, predicate, score = body["answers"]
    assert (choice["type"], choice["name"], choice["choice"]) == ("choice", "category", "billing")
    assert [one["value"] for one in choice["probabilities"]] == ["billing", "technical"]
    assert predicate == {"type": "predicate", "name": None, "probability": 0.8}
    assert [(one["value"], one["label"]) for one in score["probabilities"]] == [
        (0, "calm"),
        (1, "cross"),
    ]
    assert body["model"] == CLEF
    usage = body["usage"]
    assert usage["input_tokens"] == usage["total_tokens"] > 0
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.endpoint, row.user) == (200, "decisions", "ada")
    assert row.prompt_tokens == usage["input_tokens"]
    assert row.cost_nano_usd


def test_openais_sdk_reads_the_answer(gateway: GatewayProcess, key: str) -> None:
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=key, max_retries=0) as sdk:
        decision = sdk.decisions.create(
            model=CLEF, input=TICKET, questions=[CATEGORY, TWICE, ANGER]
        )
    assert [answer.type for answer in decision.answers] == ["choice", "predicate", "score"]
    assert decision.usage.total_tokens > 0


def test_questions_go_out_in_the_models_own_form(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    decide(client)
    body = sent(upstream)
    assert body["model"] == "clef-omni"
    assert body["state"] == TICKET
    assert body["questions"]["q0"]["criteria"] == {
        "billing": None,
        "technical": "Errors, outages.",
    }
    assert body["questions"]["q1"] == {"type": "noul", "instructions": TWICE["instructions"]}
    assert body["questions"]["q2"]["criteria"] == ["calm", "cross: Says so."]


def test_booleans_stay_booleans(client: httpx.Client) -> None:
    choices = [{"value": True}, {"value": False}]
    question = {"type": "choice", "instructions": "Is it so?", "choices": choices}
    [answer] = decide(client, [question]).json()["answers"]
    assert answer["choice"] is True
    assert [one["value"] for one in answer["probabilities"]] == [True, False]


def test_more_questions_than_a_run_takes_are_asked_in_several(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    questions = [{**TWICE, "name": f"n{n}"} for n in range(150)]
    answers = decide(client, questions).json()["answers"]
    assert [answer["name"] for answer in answers] == [f"n{n}" for n in range(150)]
    counts = sorted(len(request.body["questions"]) for request in upstream.requests)
    assert counts == [22, 64, 64]


def test_a_conversation_with_pictures_and_json_is_the_state(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    said = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look:"},
                {"type": "input_image", "image_url": PIXEL},
            ],
        },
        {"role": "assistant", "content": "I see."},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"role": "user", "content": [{"type": "input_json", "data": {"a": 1}}]},
    ]
    assert decide(client, input=said).status_code == 200
    body = sent(upstream)
    assert body["images"] == [PIXEL]
    assert [item.get("content") for item in body["state"]] == [
        "Look:",
        "I see.",
        None,
        None,
        [{"a": 1}],
    ]


IMAGE = {"type": "input_image", "image_url": PIXEL}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [IMAGE] * 5}]}, "input[0].content[4].image_url"),
        ({"questions": []}, "questions"),
        ({"questions": [TWICE] * 401}, "questions"),
        ({"questions": [{"type": "box"}]}, "questions[0].type"),
        ({"questions": [{**TWICE, "instructions": " "}]}, "questions[0].instructions"),
        ({"questions": [{**TWICE, "instructions": [IMAGE]}]}, "questions[0].instructions[0]"),
        ({"questions": [{**CATEGORY, "choices": [{"value": "a"}]}]}, "questions[0].choices"),
        (
            {"questions": [{**CATEGORY, "choices": [{"value": True}, {"value": "true"}]}]},
            "questions[0].choices[1].value",
        ),
        ({"questions": [{**ANGER, "levels": [{"label": "a"}] * 11}]}, "questions[0].levels"),
        ({"questions": [{**ANGER, "levels": None}]}, "questions[0].levels"),
    ],
)
def test_what_cannot_be_asked_is_named(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    body = {"questions": [TWICE], "input": TICKET, **fields}
    assert_openai_error(decide(client, **body), 400, param=param)


def test_a_chat_model_makes_no_decisions(client: httpx.Client) -> None:
    assert_openai_error(decide(client, model=OPENAI), 400, code="model_not_supported")


def test_the_protocol_lists_the_models_that_decide(client: httpx.Client) -> None:
    data = client.get("/models", params={"protocol": "openai-decisions"}).json()["data"]
    [entry] = [one for one in data if one["id"] == CLEF]
    assert entry["architecture"]["output_modalities"] == ["decisions"]
    assert entry["supported_endpoint_types"] == ["decisions"]
