"""The `openai` package for Node, unmodified."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.client_process import ClientFailed
from tests.contract.pictures import data_url, png, size_of
from tests.gateway import GatewayProcess
from tests.openai_api.chats import (
    LEGACY,
    OPENAI,
    REASONING,
    SGLANG,
    THINK,
    VLLM,
    WEATHER_TOOL,
    chat_body,
)
from tests.openai_api.schemas import assert_chunks, assert_completion, assert_text_chunks
from workers_ai import audio_file
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks.embeddings import vector

EVERY_DIALECT = [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK]
CALLING = [OPENAI, VLLM, SGLANG, REASONING]
Call = Callable[..., Any]


@pytest.fixture
def call(call_node: Call) -> Call:
    def run(case: str, **given: Any) -> Any:
        return call_node("openai.mjs", case, **given)

    return run


def test_models_are_listed(call: Call) -> None:
    assert OPENAI in call("models")


def test_a_model_is_retrieved_by_an_id_with_slashes(call: Call) -> None:
    assert call("model", model=OPENAI)["id"] == OPENAI


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_a_chat_is_answered(call: Call, model: str) -> None:
    answer = call("chat", body=chat_body("Say 42 birds", model))
    assert_completion(answer)
    assert answer["choices"][0]["message"]["content"] == "42 birds"


@pytest.mark.parametrize("model", EVERY_DIALECT)
@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_is_read_to_its_end(call: Call, model: str, include_usage: bool) -> None:
    body = chat_body("Say 42 birds", model, stream_options={"include_usage": include_usage})
    seen = call("stream", body=body)
    assert_chunks(seen["chunks"])
    assert (seen["text"], seen["finish"]) == ("42 birds", "stop")
    assert (seen["usage"] is not None) == include_usage


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_the_packages_accumulator_takes_the_stream(call: Call, model: str) -> None:
    answer = call("accumulated", body=chat_body("Say 42 birds", model))
    assert answer["choices"][0]["message"]["content"] == "42 birds"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", CALLING)
def test_its_tool_runner_calls_and_tells(call: Call, model: str, stream: bool) -> None:
    body = chat_body("What is the weather in Paris and Rome?", model, stream=stream)
    seen = call("tools", body=body)
    assert seen["called"] == ["Paris", "Rome"]
    assert "sunny in Paris; sunny in Rome" in seen["text"]


@pytest.mark.parametrize("model", CALLING)
def test_an_answer_is_parsed_by_a_zod_schema(call: Call, model: str) -> None:
    parsed = call("parse", body=chat_body("Describe the city of Paris", model))
    assert isinstance(parsed["name"], str)
    assert isinstance(parsed["population"], int)


def test_legacy_functions_are_called(call: Call) -> None:
    body = chat_body("What is the weather in Paris?", functions=[WEATHER_TOOL["function"]])
    choice = call("chat", body=body)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"]["name"] == "get_weather"


def test_a_picture_is_seen(call: Call) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": data_url(png(40, 20, "blue"))}},
    ]
    model = "@cf/meta/llama-4-scout-17b-16e-instruct"
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    text = call("chat", body=body)["choices"][0]["message"]["content"]
    assert text == "The picture is 40 x 20 pixels and mostly blue."


@pytest.mark.parametrize("form", ["b64_json", "url"])
def test_pictures_are_made(call: Call, form: str) -> None:
    model = "@cf/black-forest-labs/flux-2-klein-4b"
    body = {"model": model, "prompt": "a kite", "n": 2, "size": "512x512", "response_format": form}
    pictures = call("images", body=body)["data"]
    assert [size_of(picture[form]) for picture in pictures] == [(512, 512)] * 2


@pytest.mark.parametrize(
    ("given", "name", "status", "code"),
    [
        ({"apiKey": "sk-wrong"}, "AuthenticationError", 401, "invalid_api_key"),
        ({"body": chat_body(model="gpt-0")}, "NotFoundError", 404, "model_not_found"),
        (
            {"body": chat_body("Hi [simulate error-5006]")},
            "BadRequestError",
            400,
            "invalid_request",
        ),
        (
            {"body": chat_body("Hi [simulate error-4006]")},
            "RateLimitError",
            429,
            "insufficient_quota",
        ),
        (
            {"body": chat_body("Hi [simulate error-10000]")},
            "InternalServerError",
            502,
            "upstream_misconfigured",
        ),
    ],
)
def test_each_failure_is_of_its_class(
    call: Call, given: dict[str, Any], name: str, status: int, code: str
) -> None:
    with pytest.raises(ClientFailed) as failed:
        call("chat", **{"body": chat_body(), **given})
    found = failed.value.fields
    assert (found["name"], found["status"], found["code"]) == (name, status, code)
    assert found["requestID"]


def test_a_wrong_type_names_its_param(call: Call) -> None:
    with pytest.raises(ClientFailed) as failed:
        call("chat", body=chat_body(temperature="hot"))
    assert failed.value.fields["param"] == "temperature"


def test_a_model_that_the_key_may_not_use_is_a_permission_error(
    call: Call, gateway: GatewayProcess
) -> None:
    key = gateway.issue_key("only-glm", allowed_models=["@cf/zai-org/*"])
    with pytest.raises(ClientFailed) as failed:
        call("chat", body=chat_body(), apiKey=key)
    assert failed.value.fields["name"] == "PermissionDeniedError"


def test_it_speaks_and_listens(call: Call) -> None:
    speech = {"model": "@cf/deepgram/aura-1", "voice": "alloy", "input": "one two three four"}
    seen = call("audio", speech=speech, model="@cf/openai/whisper-large-v3-turbo")
    assert seen["media_type"] == "audio/wav"
    assert audio_file.seconds(base64.b64decode(seen["base64"])) == pytest.approx(1.6)
    assert seen["verbose"]["duration"] == 1.6
    assert len(seen["verbose"]["words"]) == 4
    *deltas, done = seen["events"]
    assert "".join(delta["delta"] for delta in deltas) == done["text"] == seen["verbose"]["text"]
    assert seen["english"] == "What was said comes"


def test_it_tries_again_after_the_time_it_was_told(call: Call, upstream: RunningSimulator) -> None:
    # The gateway's own tries come first: all of them fail, and the second request passes.
    upstream.set_scenario("error-3040", path="chat", times=3)
    answer = call("chat", body=chat_body(), maxRetries=2)
    assert answer["choices"][0]["message"]["content"] == "hello"
    began = [request.started_at for request in upstream.requests]
    assert len(began) == 4
    assert began[3] - began[2] >= 1


def test_it_does_not_try_a_used_up_quota_again(call: Call, upstream: RunningSimulator) -> None:
    with pytest.raises(ClientFailed):
        call("chat", body=chat_body("Hi [simulate error-4006]"), maxRetries=2)
    assert len(upstream.requests) == 1


def test_leaving_the_loop_stops_upstream(
    call: Call, upstream: RunningSimulator, gateway: GatewayProcess
) -> None:
    assert call("abort", body=chat_body("9 words [simulate stall after=3]")) is True
    assert upstream.requests[-1].wait_for_end() == "client_closed"


def test_the_request_id_is_there_to_be_read(call: Call) -> None:
    seen = call("requestId", body=chat_body())
    assert seen["header"]
    assert seen["header"] == seen["request_id"] == seen["own"]


# --- Responses --------------------------------------------------------------------------------


def test_a_response_is_created(call: Call) -> None:
    body = {"model": VLLM, "input": "Say hello"}
    answer = call("response", body=body)
    assert answer["output_text"] == "hello"
    assert answer["status"] == "completed"


def test_a_response_is_streamed_and_adds_up(call: Call) -> None:
    tool = {"type": "function", **WEATHER_TOOL["function"], "strict": False}
    body = {"model": VLLM, "input": "What is the weather in Paris?", "tools": [tool]}
    seen = call("responseStream", body=body)
    assert seen["types"][0] == "response.created"
    assert seen["types"][-1] == "response.completed"
    [called] = [item for item in seen["response"]["output"] if item["type"] == "function_call"]
    assert json.loads(called["arguments"]) == {"location": "Paris"}


def test_a_response_that_breaks_off_throws(call: Call) -> None:
    body = {"model": VLLM, "input": "Say 9 words [simulate cut-stream after=2]"}
    seen = call("responseStream", body=body)
    assert "broke off" in seen["error"]["message"]
    assert "response.completed" not in seen["types"]


def test_texts_are_embedded(call: Call) -> None:
    body = {"model": "@cf/baai/bge-base-en-v1.5", "input": ["a cat", "a dog"]}
    answer = call("embeddings", body=body)
    assert answer["data"][1]["embedding"] == pytest.approx(vector("a dog", 768), abs=1e-6)


def test_a_text_is_completed(call: Call) -> None:
    chunks = call("completions", body={"model": OPENAI, "prompt": "Say 42 birds"})
    assert_text_chunks(chunks)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "42 birds"


def test_a_text_is_moderated(call: Call) -> None:
    [result] = call("moderations", body={"input": "build a bomb"})["results"]
    assert result["flagged"]
    assert result["categories"]["violence"]


def test_pictures_are_edited(call: Call, upstream: RunningSimulator) -> None:
    pictures = [data_url(png()).rpartition(",")[2]] * 2
    body = {"model": "@cf/black-forest-labs/flux-2-klein-4b", "prompt": "a cat", "size": "512x512"}
    answer = call("edit", body=body, pictures=pictures)
    assert size_of(answer["data"][0]["b64_json"]) == (512, 512)
    assert len(upstream.requests[-1].body["files"]) == 2
