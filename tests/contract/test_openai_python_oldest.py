"""The oldest `openai` 1.x that requirement files still pin, unmodified."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.contract.client_process import ClientFailed, ClientProcess
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, REASONING, VLLM, WEATHER_TOOL, chat_body
from workers_ai.simulator.serve import RunningSimulator

Call = Callable[..., Any]
ASKING = "What is the weather in Paris?"


@pytest.fixture
def call(oldest_openai: ClientProcess, base_url: str, key: str) -> Call:
    def run(case: str, **given: Any) -> Any:
        return oldest_openai.call(case, **{"base_url": base_url, "api_key": key, **given})

    return run


def test_the_old_package_is_the_one_that_runs(call: Call) -> None:
    assert call("version") == "1.3.7"


def test_it_lists_models(call: Call) -> None:
    assert OPENAI in call("models")


def test_it_retrieves_a_model_by_an_id_with_slashes(call: Call) -> None:
    assert call("model", model=OPENAI)["id"] == OPENAI


@pytest.mark.parametrize("model", [LEGACY, OPENAI, VLLM, REASONING])
def test_it_chats(call: Call, model: str) -> None:
    answer = call("chat", body=chat_body("Say 42 birds", model))
    assert answer["choices"][0]["message"]["content"] == "42 birds"
    assert answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("model", [LEGACY, OPENAI, VLLM, REASONING])
def test_it_streams(call: Call, model: str) -> None:
    chunks = call("stream", body=chat_body("Say 42 birds", model))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta["content"] or "" for delta in deltas) == "42 birds"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_it_streams_to_several_at_once(call: Call) -> None:
    texts = [f"Say number {n}" for n in range(8)]
    found = call("concurrent", body={"model": OPENAI}, texts=texts)
    assert found == [f"number {n}" for n in range(8)]


@pytest.mark.parametrize("model", [OPENAI, VLLM, REASONING])
def test_it_calls_a_tool_and_tells_the_result(call: Call, model: str) -> None:
    text = call("tools", body=chat_body(ASKING, model, tools=[WEATHER_TOOL]))
    assert "sunny" in text
    assert "Paris" in text


def test_it_calls_a_function_in_the_old_words(call: Call) -> None:
    function, text = call("functions", body=chat_body(ASKING, functions=[WEATHER_TOOL["function"]]))
    assert json.loads(function["arguments"]) == {"location": "Paris"}
    assert "sunny" in text


def test_it_gets_a_picture(call: Call) -> None:
    body = {"model": "@cf/black-forest-labs/flux-1-schnell", "prompt": "a red kite"}
    encoded = call("image", body={**body, "response_format": "b64_json"})
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert picture.size == (1024, 1024)


@pytest.mark.parametrize(
    ("text", "name", "status", "code"),
    [
        ("Hi [simulate error-5007]", "NotFoundError", 404, "model_not_found"),
        ("Hi [simulate error-5006]", "BadRequestError", 400, "invalid_request"),
        ("Hi [simulate error-4006]", "RateLimitError", 429, "insufficient_quota"),
        ("Hi [simulate error-10000]", "InternalServerError", 502, "upstream_misconfigured"),
    ],
)
def test_its_errors_are_of_the_right_class(
    call: Call, text: str, name: str, status: int, code: str
) -> None:
    with pytest.raises(ClientFailed) as failed:
        call("chat", body=chat_body(text))
    found = failed.value.fields
    assert (found["name"], found["status_code"], found["code"]) == (name, status, code)


def test_a_wrong_key_is_its_authentication_error(call: Call) -> None:
    with pytest.raises(ClientFailed) as failed:
        call("models", api_key="sk-wrong")
    assert failed.value.fields["name"] == "AuthenticationError"


def test_it_sees_that_a_stream_broke(call: Call) -> None:
    with pytest.raises(ClientFailed) as failed:
        call("stream", body=chat_body("Hi [simulate error-event]"))
    assert failed.value.fields["name"] == "APIError"
    assert failed.value.fields["code"] == "upstream_error"


def test_it_does_not_try_a_used_up_quota_again(
    call: Call, upstream: RunningSimulator, gateway: GatewayProcess
) -> None:
    with pytest.raises(ClientFailed):
        call("chat", body=chat_body("Hi [simulate error-4006]"), max_retries=2)
    assert len(upstream.requests) == 1
