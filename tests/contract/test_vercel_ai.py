"""Vercel's AI SDK with `@ai-sdk/openai-compatible`, unmodified, which refuses malformed chunks."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.client_process import ClientFailed
from tests.contract.pictures import png, size_of
from tests.openai_api.chats import LEGACY, OPENAI, REASONING, SGLANG, THINK, THINK_UNOPENED, VLLM
from workers_ai.simulator.serve import RunningSimulator

EVERY_DIALECT = [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED]
THINKING = [VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED]
CALLING = [OPENAI, VLLM, SGLANG, REASONING]
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
MISTRAL = "@cf/mistralai/mistral-small-3.1-24b-instruct"
Call = Callable[..., Any]


@pytest.fixture
def call(call_node: Call) -> Call:
    def run(case: str, **given: Any) -> Any:
        return call_node("vercel_ai.mjs", case, **given)

    return run


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_text_is_generated(call: Call, model: str) -> None:
    seen = call("text", model=model, prompt="Say 42 birds")
    assert (seen["text"], seen["finish"]) == ("42 birds", "stop")
    assert seen["usage"]["outputTokens"] > 0


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_text_is_streamed(call: Call, model: str) -> None:
    seen = call("stream", model=model, prompt="Say 42 birds")
    assert (seen["text"], seen["finish"], seen["errors"]) == ("42 birds", "stop", [])
    assert seen["usage"]["outputTokens"] > 0


@pytest.mark.parametrize("case", ["text", "stream"])
@pytest.mark.parametrize("model", THINKING)
def test_thoughts_are_told_apart(call: Call, model: str, case: str) -> None:
    seen = call(case, model=model, prompt="Say hello")
    assert seen["text"] == "hello"
    assert seen["reasoning"].strip()


def test_a_stream_without_usage_is_whole_too(call: Call) -> None:
    seen = call("stream", model=OPENAI, prompt="Say hello", includeUsage=False)
    assert (seen["text"], seen["errors"]) == ("hello", [])


@pytest.mark.parametrize("case", ["tools", "streamedTools"])
@pytest.mark.parametrize("model", CALLING)
def test_tools_are_called_and_answered(call: Call, model: str, case: str) -> None:
    seen = call(case, model=model, prompt="What is the weather in Paris and Rome?")
    assert seen["called"] == ["Paris", "Rome"]
    assert "sunny in Paris; sunny in Rome" in seen["text"]


@pytest.mark.parametrize("model", [*CALLING, GEMMA, MISTRAL, THINK])
def test_an_object_is_generated(call: Call, model: str) -> None:
    found = call("object", model=model, prompt="Describe the city of Paris")
    assert set(found) == {"name", "population"}


@pytest.mark.parametrize("model", ["@cf/meta/llama-4-scout-17b-16e-instruct", GEMMA])
def test_a_picture_is_seen(call: Call, model: str) -> None:
    image = base64.b64encode(png(40, 20, "green")).decode()
    text = call("picture", model=model, prompt="What is this?", image=image)
    assert text == "The picture is 40 x 20 pixels and mostly green."


def test_pictures_are_made(call: Call) -> None:
    model = "@cf/black-forest-labs/flux-2-klein-4b"
    pictures = call("image", model=model, prompt="a red kite", n=2, size="512x512")
    assert [size_of(picture["base64"]) for picture in pictures] == [(512, 512)] * 2


@pytest.mark.parametrize(
    ("given", "status", "code", "retryable"),
    [
        ({"apiKey": "sk-wrong"}, 401, "invalid_api_key", False),
        ({"model": "gpt-0"}, 404, "model_not_found", False),
        ({"prompt": "Hi [simulate error-5006]"}, 400, "invalid_request", False),
        ({"prompt": "Hi [simulate error-10000]"}, 502, "upstream_misconfigured", True),
    ],
)
def test_an_error_says_what_and_whether_to_try_again(
    call: Call, given: dict[str, Any], status: int, code: str, retryable: bool
) -> None:
    with pytest.raises(ClientFailed) as failed:
        call("text", **{"model": OPENAI, "prompt": "Hi", **given})
    found = failed.value.fields
    assert (found["name"], found["status"]) == ("AI_APICallError", status)
    assert (found["body"]["code"], found["isRetryable"]) == (code, retryable)


def test_an_error_before_the_stream_is_a_part_of_it(call: Call) -> None:
    seen = call("stream", model=OPENAI, prompt="Hi [simulate error-5007]")
    assert [error["status"] for error in seen["errors"]] == [404]


def test_it_tries_again_after_the_time_it_was_told(call: Call, upstream: RunningSimulator) -> None:
    # The gateway's own tries come first: all of them fail, and the SDK's second request passes.
    upstream.set_scenario("error-3040", path="chat", times=3)
    seen = call("text", model=OPENAI, prompt="Say hello", maxRetries=1)
    assert seen["text"] == "hello"
    began = [request.started_at for request in upstream.requests]
    assert len(began) == 4
    assert began[3] - began[2] >= 1


def test_an_abort_stops_upstream(call: Call, upstream: RunningSimulator) -> None:
    assert call("abort", model=OPENAI, prompt="9 words [simulate stall after=4]")
    assert upstream.requests[-1].wait_for_end() == "client_closed"
