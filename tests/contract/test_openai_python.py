"""The current `openai` package for Python, sync and async, unmodified."""

import asyncio
import json
import time
from typing import Any

import openai as sdk
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.contract.pictures import data_url, png, size_of
from tests.gateway import GatewayProcess
from tests.openai_api.chats import (
    LEGACY,
    OPENAI,
    REASONING,
    SGLANG,
    THINK,
    THINK_UNOPENED,
    VLLM,
    WEATHER_TOOL,
    chat_body,
    new_id,
)
from tests.openai_api.schemas import assert_chunks, assert_completion, assert_text_chunks
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks.embeddings import vector

EVERY_DIALECT = [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED]
THINKING = [VLLM, SGLANG, REASONING, THINK, THINK_UNOPENED]
CALLING = [OPENAI, VLLM, SGLANG, REASONING]
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
MISTRAL = "@cf/mistralai/mistral-small-3.1-24b-instruct"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
SCHNELL = "@cf/black-forest-labs/flux-1-schnell"
KLEIN = "@cf/black-forest-labs/flux-2-klein-4b"
IMG2IMG = "@cf/runwayml/stable-diffusion-v1-5-img2img"
BGE = "@cf/baai/bge-base-en-v1.5"
QWEN_EMBEDDING = "@cf/qwen/qwen3-embedding-0.6b"
PHOENIX = "@cf/leonardo/phoenix-1.0"
ASKING = "What is the weather in Paris?"


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


# --- Models -----------------------------------------------------------------------------------


def test_models_are_listed(openai: OpenAI) -> None:
    models = list(openai.models.list())
    assert OPENAI in [model.id for model in models]
    for model in models:
        assert model.object == "model"
        assert model.created > 0
        assert model.owned_by


@pytest.mark.parametrize("model", [OPENAI, SCHNELL])
def test_a_model_is_retrieved_by_an_id_with_slashes(openai: OpenAI, model: str) -> None:
    assert openai.models.retrieve(model).id == model


async def test_models_are_listed_async(async_openai: AsyncOpenAI) -> None:
    assert OPENAI in [model.id async for model in async_openai.models.list()]


def test_an_unknown_model_is_not_found(openai: OpenAI) -> None:
    with pytest.raises(sdk.NotFoundError) as failed:
        openai.models.retrieve("@cf/no/such-model")
    assert failed.value.code == "model_not_found"


# --- Chat -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_a_chat_is_answered(openai: OpenAI, model: str) -> None:
    answer = openai.chat.completions.create(model=model, messages=said("Say 42 birds"))
    assert_completion(answer.to_dict())
    assert answer.choices[0].message.content == "42 birds"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == model
    assert answer.usage
    assert answer.usage.completion_tokens > 0


async def test_chats_are_answered_at_once(async_openai: AsyncOpenAI) -> None:
    async def ask(number: int) -> str | None:
        answer = await async_openai.chat.completions.create(
            model=OPENAI, messages=said(f"Say number {number}")
        )
        return answer.choices[0].message.content

    assert await asyncio.gather(*map(ask, range(12))) == [f"number {n}" for n in range(12)]


def test_several_choices_come_when_n_asks_for_them(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model=VLLM, messages=said("Say hello"), n=3)
    assert_completion(answer.to_dict())
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.message.content for choice in answer.choices} == {"hello"}


def test_several_choices_are_streamed_side_by_side(openai: OpenAI) -> None:
    with openai.chat.completions.stream(model=VLLM, messages=said("Say hello"), n=2) as stream:
        answer = stream.get_final_completion()
    assert [choice.message.content for choice in answer.choices] == ["hello", "hello"]


@pytest.mark.parametrize("model", [LEGACY, OPENAI, VLLM])
def test_everything_that_openai_has_may_be_sent(openai: OpenAI, model: str) -> None:
    """Fields that no model of Workers AI knows are no reason to refuse."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "Answer in uppercase."}]},
            {"role": "user", "name": "ada", "content": [{"type": "text", "text": "Say hello"}]},
        ],
        "frequency_penalty": 0.1,
        "presence_penalty": 0.1,
        "logit_bias": {"50256": -100},
        "max_completion_tokens": 500,
        "metadata": {"team": "birds"},
        "modalities": ["text"],
        "parallel_tool_calls": True,
        "prompt_cache_key": "one",
        "reasoning_effort": "low",
        "safety_identifier": "ada",
        "seed": 0,
        "service_tier": "auto",
        "stop": ["never"],
        "store": True,
        "temperature": 0,
        "top_p": 1,
        "user": "ada",
        "verbosity": "low",
        "tools": [] if model == LEGACY else [WEATHER_TOOL],
    }
    answer = openai.chat.completions.create(**body)
    assert_completion(answer.to_dict())
    assert answer.choices[0].message.content == "HELLO"


def test_an_earlier_turn_is_remembered(openai: OpenAI) -> None:
    messages = said("My name is Ada")
    first = openai.chat.completions.create(model=REASONING, messages=messages)
    messages += [first.choices[0].message, *said("What is my name?")]
    again = openai.chat.completions.create(model=REASONING, messages=messages)
    assert again.choices[0].message.content == "Your name is Ada."


@pytest.mark.parametrize("model", THINKING)
def test_thoughts_come_beside_the_answer(openai: OpenAI, model: str) -> None:
    message = openai.chat.completions.create(model=model, messages=said("Say hello"))
    found = message.choices[0].message
    assert found.content == "hello"
    assert (found.model_extra or {})["reasoning_content"].strip()


# --- Streams ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_a_stream_is_read_to_its_end(openai: OpenAI, model: str) -> None:
    chunks = list(
        openai.chat.completions.create(model=model, messages=said("Say 42 birds"), stream=True)
    )
    assert_chunks([chunk.to_dict() for chunk in chunks])
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "42 birds"


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_usage_ends_the_stream_when_it_is_asked_for(openai: OpenAI, model: str) -> None:
    chunks = list(
        openai.chat.completions.create(
            model=model,
            messages=said("Say hello"),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert_chunks([chunk.to_dict() for chunk in chunks])
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert chunks[-1].usage.prompt_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_the_sdks_accumulator_gets_what_a_whole_answer_says(openai: OpenAI, model: str) -> None:
    messages = said("Say 42 birds")
    whole = openai.chat.completions.create(model=model, messages=messages)
    with openai.chat.completions.stream(model=model, messages=messages) as stream:
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.content == whole.choices[0].message.content
    assert streamed.choices[0].finish_reason == whole.choices[0].finish_reason


async def test_streams_are_read_side_by_side(async_openai: AsyncOpenAI) -> None:
    async def ask(number: int) -> str:
        stream = await async_openai.chat.completions.create(
            model=SGLANG, messages=said(f"Say number {number}"), stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert await asyncio.gather(*map(ask, range(12))) == [f"number {n}" for n in range(12)]


@pytest.mark.parametrize("form", ["error", "errors", "event"])
def test_a_stream_that_fails_raises(openai: OpenAI, form: str) -> None:
    text = ""
    with pytest.raises(sdk.APIError) as failed:
        for chunk in openai.chat.completions.create(
            **chat_body(f"Hi [simulate error-event form={form}]"), stream=True
        ):
            text += chunk.choices[0].delta.content or ""
    assert text == "Hi, I was"
    assert failed.value.code == "upstream_error"


def test_a_stream_that_was_cut_is_no_short_answer(openai: OpenAI) -> None:
    with pytest.raises(sdk.APIError) as failed:
        list(
            openai.chat.completions.create(
                **chat_body("9 words [simulate cut-stream after=3]"), stream=True
            )
        )
    assert failed.value.code == "upstream_cut"


def test_closing_a_stream_stops_upstream(
    openai: OpenAI, upstream: RunningSimulator, gateway: GatewayProcess
) -> None:
    request_id = new_id()
    with openai.chat.completions.create(
        **chat_body("9 words [simulate stall after=3]"),
        stream=True,
        extra_headers={"x-request-id": request_id},
    ) as stream:
        next(iter(stream))
    left_at = time.monotonic()
    assert upstream.requests[-1].wait_for_end() == "client_closed"
    assert time.monotonic() - left_at < 10
    row = gateway.row(request_id)
    assert (row.end_reason, row.usage_source) == ("client_gone", "partial")


async def test_cancelling_a_task_stops_upstream(
    async_openai: AsyncOpenAI, upstream: RunningSimulator
) -> None:
    began = asyncio.Event()

    async def ask() -> None:
        stream = await async_openai.chat.completions.create(
            **chat_body("9 words [simulate stall after=3]"), stream=True
        )
        async for _ in stream:
            began.set()

    asking = asyncio.create_task(ask())
    await asyncio.wait_for(began.wait(), 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await async_openai.close()
    ended = await asyncio.to_thread(upstream.requests[-1].wait_for_end)
    assert ended == "client_closed"


def test_a_clients_own_time_out_stops_upstream(openai: OpenAI, upstream: RunningSimulator) -> None:
    with pytest.raises(sdk.APITimeoutError):
        openai.chat.completions.create(**chat_body("Hi [simulate hang]"), timeout=1)
    assert upstream.requests[-1].wait_for_end() == "client_closed"


# --- Tools ------------------------------------------------------------------------------------


def results_of(calls: Any) -> list[Any]:
    return [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": f"sunny in {json.loads(call.function.arguments)['location']}",
        }
        for call in calls
    ]


@pytest.mark.parametrize("model", CALLING)
def test_tools_are_used_over_several_turns(openai: OpenAI, model: str) -> None:
    messages = said(ASKING)
    body: dict[str, Any] = {"model": model, "tools": [WEATHER_TOOL]}
    for place in ("Paris", "Rome"):
        turn = openai.chat.completions.create(messages=messages, **body).choices[0]
        assert turn.finish_reason == "tool_calls"
        calls = turn.message.tool_calls or []
        assert [json.loads(c.function.arguments) for c in calls if c.type == "function"] == [
            {"location": place}
        ]
        messages += [turn.message, *results_of(calls)]
        answer = openai.chat.completions.create(messages=messages, **body).choices[0]
        assert answer.finish_reason == "stop"
        assert f"sunny in {place}" in (answer.message.content or "")
        messages += [answer.message, *said("And what is the weather in Rome?")]


@pytest.mark.parametrize("model", CALLING)
def test_parallel_calls_are_answered_together(openai: OpenAI, model: str) -> None:
    messages = said("What is the weather in Paris and Rome?")
    body: dict[str, Any] = {"model": model, "tools": [WEATHER_TOOL]}
    with openai.chat.completions.stream(messages=messages, **body) as stream:
        message = stream.get_final_completion().choices[0].message
    calls = message.tool_calls or []
    assert len({call.id for call in calls}) == 2
    messages += [message, *results_of(calls)]
    answer = openai.chat.completions.create(messages=messages, **body)
    assert "sunny in Paris; sunny in Rome" in (answer.choices[0].message.content or "")


def test_parallel_calls_can_be_switched_off(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        **chat_body("What is the weather in Paris and Rome?", VLLM, tools=[WEATHER_TOOL]),
        parallel_tool_calls=False,
    )
    assert len(answer.choices[0].message.tool_calls or []) == 1


@pytest.mark.parametrize("model", CALLING)
@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_a_call_can_be_forced(openai: OpenAI, model: str, choice: Any) -> None:
    answer = openai.chat.completions.create(
        **chat_body("Hello there", model, tools=[WEATHER_TOOL], tool_choice=choice)
    )
    assert answer.choices[0].finish_reason == "tool_calls"


def test_tools_can_be_forbidden(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        **chat_body(ASKING, tools=[WEATHER_TOOL], tool_choice="none")
    )
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("model", [OPENAI, VLLM])
def test_legacy_functions_are_called_and_answered(openai: OpenAI, model: str) -> None:
    body: dict[str, Any] = {"model": model, "functions": [WEATHER_TOOL["function"]]}
    messages = said(ASKING)
    first = openai.chat.completions.create(messages=messages, **body).choices[0]
    assert first.finish_reason == "function_call"
    assert first.message.function_call
    assert json.loads(first.message.function_call.arguments) == {"location": "Paris"}
    messages += [first.message, {"role": "function", "name": "get_weather", "content": "sunny"}]
    again = openai.chat.completions.create(messages=messages, **body).choices[0]
    assert "sunny" in (again.message.content or "")


def test_legacy_functions_are_called_in_a_stream(openai: OpenAI) -> None:
    chunks = list(
        openai.chat.completions.create(
            **chat_body(ASKING, functions=[WEATHER_TOOL["function"]]), stream=True
        )
    )
    parts = [c.choices[0].delta.function_call for c in chunks if c.choices[0].delta.function_call]
    assert "".join(part.name or "" for part in parts) == "get_weather"
    assert json.loads("".join(part.arguments or "" for part in parts)) == {"location": "Paris"}
    assert chunks[-1].choices[0].finish_reason == "function_call"


# --- Structured output and pictures -------------------------------------------------------------


class City(BaseModel):
    name: str
    population: int
    rivers: list[str]


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG, REASONING, GEMMA, MISTRAL, THINK])
def test_an_answer_is_parsed_into_a_model(openai: OpenAI, model: str) -> None:
    answer = openai.chat.completions.parse(
        model=model, messages=said("Describe the city of Paris"), response_format=City
    )
    parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, City)
    assert parsed.name


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG])
def test_a_streamed_answer_is_parsed_into_a_model(openai: OpenAI, model: str) -> None:
    with openai.chat.completions.stream(
        model=model, messages=said("Describe the city of Paris"), response_format=City
    ) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, City)


@pytest.mark.parametrize("model", CALLING)
def test_a_tools_arguments_are_parsed_into_a_model(openai: OpenAI, model: str) -> None:
    tool = sdk.pydantic_function_tool(City, name="describe_city")
    answer = openai.chat.completions.parse(
        model=model, messages=said("Describe the city of Paris"), tools=[tool]
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, City)


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG, REASONING, MISTRAL, LEGACY])
def test_json_mode_gives_json(openai: OpenAI, model: str) -> None:
    answer = openai.chat.completions.create(
        model=model,
        messages=said("Say hello in JSON"),
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("model", [SCOUT, MISTRAL, GEMMA, REASONING])
def test_a_picture_is_seen(openai: OpenAI, model: str) -> None:
    answer = openai.chat.completions.create(
        model=model,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": data_url(png(40, 20, "red")), "detail": "low"},
                    },
                ],
            }
        ],
    )
    assert answer.choices[0].message.content == "The picture is 40 x 20 pixels and mostly red."


# --- Images -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [SCHNELL, KLEIN, PHOENIX])
def test_a_picture_is_made(openai: OpenAI, model: str) -> None:
    answer = openai.images.generate(model=model, prompt="a red kite", response_format="b64_json")
    [picture] = answer.data or []
    assert size_of(picture.b64_json or "") == (1024, 1024)


def test_a_picture_comes_as_a_data_url(openai: OpenAI) -> None:
    answer = openai.images.generate(
        model=KLEIN, prompt="a red kite", size="512x512", response_format="url"
    )
    [picture] = answer.data or []
    assert (picture.url or "").startswith("data:image/")
    assert size_of(picture.url or "") == (512, 512)


async def test_as_many_pictures_come_as_n_says(async_openai: AsyncOpenAI) -> None:
    answer = await async_openai.images.generate(model=SCHNELL, prompt="a red kite", n=3)
    assert len(answer.data or []) == 3


def test_a_chat_model_makes_no_pictures(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as failed:
        openai.images.generate(model=OPENAI, prompt="a red kite")
    assert failed.value.param == "model"


# --- Errors -----------------------------------------------------------------------------------


def test_a_wrong_key_is_an_authentication_error(openai: OpenAI) -> None:
    with pytest.raises(sdk.AuthenticationError) as failed:
        openai.with_options(api_key="sk-wrong").models.list()
    assert failed.value.code == "invalid_api_key"
    assert "sk-wrong" not in str(failed.value)


def test_a_model_that_the_key_may_not_use_is_a_permission_error(
    openai: OpenAI, gateway: GatewayProcess
) -> None:
    key = gateway.issue_key("only-glm", allowed_models=["@cf/zai-org/*"])
    with pytest.raises(sdk.PermissionDeniedError) as failed:
        openai.with_options(api_key=key).chat.completions.create(**chat_body())
    assert (failed.value.code, failed.value.param) == ("model_not_allowed", "model")


def test_a_wrong_type_names_its_param(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as failed:
        openai.chat.completions.create(**chat_body(temperature="hot"))
    assert failed.value.param == "temperature"
    assert failed.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("code", "error_class", "status", "error_code"),
    [
        (5006, sdk.BadRequestError, 400, "invalid_request"),
        (3010, sdk.BadRequestError, 400, "context_length_exceeded"),
        (5007, sdk.NotFoundError, 404, "model_not_found"),
        (5028, sdk.NotFoundError, 404, "model_not_found"),
        (5035, sdk.PermissionDeniedError, 403, None),
        (3036, sdk.RateLimitError, 429, "insufficient_quota"),
        (4006, sdk.RateLimitError, 429, "insufficient_quota"),
        (3040, sdk.RateLimitError, 429, "rate_limit_exceeded"),
        (3007, sdk.InternalServerError, 504, "upstream_timeout"),
        (8005, sdk.InternalServerError, 502, "upstream_error"),
        (10000, sdk.InternalServerError, 502, "upstream_misconfigured"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_failure_of_upstream_is_of_its_class(
    openai: OpenAI,
    code: int,
    error_class: type[sdk.APIStatusError],
    status: int,
    error_code: str | None,
    stream: bool,
) -> None:
    request_id = new_id()
    with pytest.raises(error_class) as failed:
        openai.chat.completions.create(
            **chat_body(f"Hi [simulate error-{code}]"),
            stream=stream,
            extra_headers={"x-request-id": request_id},
        )
    assert failed.value.status_code == status
    assert failed.value.request_id == request_id
    if error_code:
        assert failed.value.code == error_code


def test_a_keys_rate_limit_is_a_rate_limit_error_with_a_time(
    openai: OpenAI, gateway: GatewayProcess
) -> None:
    limited = openai.with_options(api_key=gateway.issue_key("slow", requests_per_minute=1))
    limited.chat.completions.create(**chat_body())
    with pytest.raises(sdk.RateLimitError) as failed:
        limited.chat.completions.create(**chat_body())
    assert failed.value.code == "rate_limit_exceeded"
    assert 1 <= int(failed.value.response.headers["retry-after"]) <= 60


# --- Retries and headers ------------------------------------------------------------------------


def test_the_sdk_tries_again_after_the_time_it_was_told(
    openai: OpenAI, upstream: RunningSimulator
) -> None:
    # The gateway's own tries come first: all of them fail, and the SDK's second request passes.
    upstream.set_scenario("error-3040", path="chat", times=3)
    answer = openai.with_options(max_retries=2).chat.completions.create(**chat_body())
    assert answer.choices[0].message.content == "hello"
    began = [request.started_at for request in upstream.requests]
    assert len(began) == 4
    # The SDK would wait for half a second if no `retry-after` told it another time.
    assert began[3] - began[2] >= 1


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_does_not_try_a_used_up_quota_again(
    openai: OpenAI, upstream: RunningSimulator, stream: bool
) -> None:
    with pytest.raises(sdk.RateLimitError):
        openai.with_options(max_retries=2).chat.completions.create(
            **chat_body("Hi [simulate error-4006]"), stream=stream
        )
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("code", [5006, 5035, 10000])
def test_the_sdk_does_not_repeat_what_cannot_pass(
    openai: OpenAI, upstream: RunningSimulator, code: int
) -> None:
    with pytest.raises(sdk.APIStatusError):
        openai.with_options(max_retries=2).chat.completions.create(
            **chat_body(f"Hi [simulate error-{code}]")
        )
    assert len(upstream.requests) == 1


def test_headers_are_there_to_be_read(openai: OpenAI, gateway: GatewayProcess) -> None:
    key = gateway.issue_key("counted", requests_per_minute=50, tokens_per_minute=100_000)
    raw = openai.with_options(api_key=key).chat.completions.with_raw_response.create(**chat_body())
    assert raw.request_id == raw.headers["x-request-id"] == raw.parse()._request_id
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.headers["x-ratelimit-limit-requests"] == "50"
    assert raw.headers["x-ratelimit-remaining-requests"] == "49"
    assert raw.headers["x-ratelimit-limit-tokens"] == "100000"


def test_a_stream_can_be_read_line_by_line(openai: OpenAI) -> None:
    with openai.chat.completions.with_streaming_response.create(
        **chat_body(), stream=True
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert lines[-1] == "data: [DONE]"


# --- Embeddings, texts, verdicts, edits -------------------------------------------------------


def test_texts_are_embedded_in_the_clients_own_encoding(
    openai: OpenAI, upstream: RunningSimulator
) -> None:
    """The package asks for base64 unless it is told otherwise, and decodes it."""
    texts = ["a cat", "a dog", "a cat"]
    answer = openai.embeddings.create(model=BGE, input=texts)
    assert [entry.index for entry in answer.data] == [0, 1, 2]
    assert answer.data[0].embedding == pytest.approx(vector("a cat", 768), abs=1e-6)
    assert answer.data[0].embedding == answer.data[2].embedding != answer.data[1].embedding
    assert answer.usage.total_tokens == answer.usage.prompt_tokens > 0
    numbers = openai.embeddings.create(model=BGE, input="a cat", encoding_format="float")
    assert numbers.data[0].embedding == vector("a cat", 768)


async def test_texts_are_embedded_async(async_openai: AsyncOpenAI) -> None:
    answer = await async_openai.embeddings.create(
        model=QWEN_EMBEDDING, input="a cat", dimensions=64
    )
    assert len(answer.data[0].embedding) == 64


def test_a_text_is_completed_whole_and_streamed(openai: OpenAI) -> None:
    answer = openai.completions.create(model=OPENAI, prompt="Say 42 birds")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("42 birds", "stop")
    chunks = list(openai.completions.create(model=OPENAI, prompt="Say 42 birds", stream=True))
    assert_text_chunks([chunk.to_dict() for chunk in chunks])
    assert "".join(chunk.choices[0].text for chunk in chunks) == "42 birds"


@pytest.mark.parametrize("named", [{}, {"model": "omni-moderation-latest"}])
def test_texts_are_moderated(openai: OpenAI, named: dict[str, str]) -> None:
    answer = openai.moderations.create(input=["a cat", "build a bomb"], **named)  # type: ignore[arg-type]
    safe, unsafe = answer.results
    assert (safe.flagged, unsafe.flagged) == (False, True)
    assert unsafe.categories.illicit_violent
    assert unsafe.category_scores.illicit_violent == 1
    assert not unsafe.categories.self_harm_intent


def test_a_picture_is_edited(openai: OpenAI) -> None:
    answer = openai.images.edit(
        model=IMG2IMG, image=png(300, 256), prompt="a cat", n=1, size="512x512"
    )
    assert answer.data
    assert size_of(answer.data[0].b64_json or "") == (512, 512)


def test_several_pictures_are_edited_together(openai: OpenAI, upstream: RunningSimulator) -> None:
    answer = openai.images.edit(model=KLEIN, image=[png(), png()], prompt="a cat")
    assert answer.data
    assert len(upstream.requests[-1].body["files"]) == 2


def test_a_form_that_is_wrong_names_the_field(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as failed:
        openai.images.edit(model=IMG2IMG, image=b"no picture", prompt="a cat")
    assert (failed.value.param, failed.value.code) == ("image", "invalid_image")
