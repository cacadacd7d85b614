"""Models with habits of their own: what each refuses comes out right, or is mended, by itself.

No scenario is asked for: the simulator's models refuse as those of Workers AI do.
"""

from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess
from workers_ai.simulator.serve import RunningSimulator

GLM = "@cf/zai-org/glm-5.2"
KIMI = "@cf/moonshotai/kimi-k2.7-code"
QWEN = "@cf/qwen/qwen3.8-27b"
MISTRAL = "@cf/mistralai/mistral-small-3.1-24b-instruct"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GEMMA = "@cf/google/gemma-7b-it-lora"
DEEPSEEK = "@cf/deepseek-ai/deepseek-v4-flash-0731"
APERTUS = "@cf/swiss-ai/apertus-v1.5-8b"
EUROLLM = "@cf/utter-project/eurollm-9b-it"
CLEFS = ("@cf/cloudflare/clef", "@cf/cloudflare/clef-flash")


def said(*turns: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in turns]


def chat(client: httpx.Client, model: str, messages: Any, **more: Any) -> httpx.Response:
    return client.post("/chat/completions", json={"model": model, "messages": messages, **more})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", [QWEN, MISTRAL, GEMMA, GLM, KIMI])
def test_any_order_of_turns_is_answered(client: httpx.Client, model: str, stream: bool) -> None:
    turns = said(
        ("system", "Be brief."),
        ("developer", "Be kind."),
        ("user", "Hello"),
        ("user", "Are you there?"),
        ("assistant", "Yes."),
        ("system", "Be quick."),
        ("user", "What is 12*7?"),
    )
    response = chat(client, model, turns, stream=stream)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("model", [QWEN, MISTRAL, GEMMA])
@pytest.mark.parametrize("system", [(), (("system", "Be brief."),)], ids=["alone", "after-system"])
def test_a_chat_that_the_assistant_begins_is_answered(
    client: httpx.Client, model: str, system: tuple[tuple[str, str], ...]
) -> None:
    turns = said(*system, ("assistant", "Hi! How can I help?"), ("user", "What is 12*7?"))
    response = chat(client, model, turns)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("model", [LLAMA, DEEPSEEK])
def test_any_round_of_tool_calls_is_answered(client: httpx.Client, model: str) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {
        "type": "function",
        "function": {"name": "get_weather", "description": "", "parameters": parameters},
    }
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": "get_weather", "arguments": said}}
        for n, said in enumerate(['{"city": "Os', '{"city": "Rome"}'])
    ]
    turns = [
        *said(("user", "Weather in Oslo and Rome?")),
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c0", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    response = chat(client, model, turns, tools=[tool])
    assert response.status_code == 200, response.text
    assert "sunny; rain" in response.json()["choices"][0]["message"]["content"]


def test_a_ceiling_below_the_catalogs_is_kept_and_listed(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    turns = said(("user", "Hello"))
    assert client.get("/models").status_code == 200
    assert chat(client, GLM, turns, max_tokens=262_144).status_code == 200
    # Beside the prompt there is a little less room than the ceiling.
    assert 255_000 < upstream.requests[-1].body["max_tokens"] < 256_000
    assert chat(client, GLM, turns).status_code == 200
    [listed] = [one for one in client.get("/models").json()["data"] if one["id"] == GLM]
    assert listed["context_length"] == 256_000
    assert listed["top_provider"]["max_completion_tokens"] == 256_000


def test_a_model_that_always_thinks_shows_its_thoughts(client: httpx.Client) -> None:
    turns = said(("user", "What is 2+2?"))
    response = chat(client, KIMI, turns, reasoning_effort="none")
    assert response.json()["choices"][0]["message"]["reasoning_content"]


@pytest.mark.parametrize("model", [APERTUS, EUROLLM])
def test_access_by_form_is_told_and_alarms_nobody(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, model: str
) -> None:
    response = chat(client, model, said(("user", "Hello")))
    assert response.status_code == 403
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_allowed", "model")
    assert "not allowed to access" in error["message"]
    assert len(upstream.requests) == 1
    granted = said(("user", "Hello [simulate access-granted]"))
    assert chat(client, model, granted).status_code == 200


@pytest.mark.parametrize("model", CLEFS)
def test_decision_models_decide_and_do_not_chat(client: httpx.Client, model: str) -> None:
    question = {"type": "predicate", "instructions": "Is it about a bill?"}
    body = {"model": model, "input": "I was charged twice.", "questions": [question]}
    answer = client.post("/decisions", json=body)
    assert answer.json()["answers"][0]["probability"] == 0.8, answer.text
    long = client.post("/decisions", json={**body, "input": "word " * 70_000})
    assert long.status_code == 400
    assert long.json()["error"]["code"] == "context_length_exceeded"
    refused = chat(client, model, said(("user", "Hello")))
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "model_not_supported"


@pytest.mark.parametrize(("model", "limit"), [(LLAMA, 36), (KIMI, 33)])
def test_a_call_that_the_limit_cut_off_is_told_as_such(
    client: httpx.Client, model: str, limit: int
) -> None:
    asked = "What is the weather in Paris, Rome, Oslo and Berlin?"
    parameters = {"type": "object", "properties": {"location": {"type": "string"}}}
    function = {"name": "get_weather", "description": "", "parameters": parameters}
    tools = [{"type": "function", "function": function}]
    more: dict[str, Any] = {"tools": tools, "tool_choice": "required", "max_tokens": limit}
    whole = chat(client, model, said(("user", asked)), **more)
    assert whole.json()["choices"][0]["finish_reason"] == "length"
    assert whole.json()["usage"]["completion_tokens"] == limit
    streamed = chat(client, model, said(("user", asked)), stream=True, **more)
    assert '"finish_reason":"length"' in streamed.text
    assert '"finish_reason":"tool_calls"' not in streamed.text
    body: dict[str, Any] = {"model": model, "tools": [{"type": "function", **function}]}
    body |= {"input": asked, "tool_choice": "required", "max_output_tokens": limit}
    response = client.post("/responses", json=body).json()
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    body = {"model": model, "messages": said(("user", asked)), "max_tokens": limit}
    body["tools"] = [{"name": "get_weather", "input_schema": parameters}]
    body["tool_choice"] = {"type": "any"}
    assert client.post("/messages", json=body).json()["stop_reason"] == "max_tokens"
