"""`/v1/responses` by the unmodified `openai` package for Python."""

import json
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.contract.pictures import data_url, png
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, REASONING, SGLANG, THINK, VLLM, new_id
from tests.openai_api.event_rules import assert_response, assert_response_events

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
ASKING = "What is the weather in Paris?"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather at a place",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "a city"}},
        "required": ["location"],
        "additionalProperties": False,
    },
    "strict": True,
}


@pytest.mark.parametrize("model", [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK])
def test_a_response_is_created(openai: OpenAI, model: str) -> None:
    answer = openai.responses.create(model=model, input="Say 42 birds", instructions="Be brief.")
    assert_response(answer.to_dict())
    assert answer.output_text == "42 birds"
    assert answer.status == "completed"
    assert answer.model == model
    assert answer.usage
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0


@pytest.mark.parametrize("model", [LEGACY, VLLM])
def test_a_response_is_streamed(openai: OpenAI, model: str) -> None:
    with openai.responses.stream(model=model, input="Say five small words") as stream:
        events = [event.type for event in stream]
        answer = stream.get_final_response()
    assert answer.output_text == "five small words"
    assert events[0] == "response.created"
    assert events[-1] == "response.completed"
    assert events.count("response.output_text.delta") > 1


def test_the_raw_events_are_those_of_openai(openai: OpenAI) -> None:
    stream = openai.responses.create(model=VLLM, input="Say hello", stream=True)
    response = assert_response_events([event.to_dict() for event in stream])
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG, REASONING])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_used_over_two_turns(openai: OpenAI, model: str, streamed: bool) -> None:
    items: list[Any] = [{"role": "user", "content": ASKING}]
    asked: dict[str, Any] = {"model": model, "tools": [WEATHER]}
    if streamed:
        with openai.responses.stream(input=items, **asked) as stream:
            first: Any = stream.get_final_response()
    else:
        first = openai.responses.create(input=items, **asked)
    [call] = [item for item in first.output if item.type == "function_call"]
    assert call.name == "get_weather"
    assert json.loads(call.arguments) == {"location": "Paris"}
    items += [item.to_dict() for item in first.output]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
    second = openai.responses.create(input=[*items, result], **asked)
    assert "18 degrees" in second.output_text


def test_tools_are_called_side_by_side(openai: OpenAI) -> None:
    answer = openai.responses.create(
        model=VLLM, tools=[WEATHER], input="What is the weather in Paris and in Rome?"
    )
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["location"] for call in calls] == ["Paris", "Rome"]
    assert len({call.call_id for call in calls}) == 2


def test_a_choice_of_tools_is_honoured(openai: OpenAI) -> None:
    choice: Any = {"type": "function", "name": "get_weather"}
    answer = openai.responses.create(
        model=VLLM, tools=[WEATHER], tool_choice=choice, input="Weather in Paris, please"
    )
    assert [i.type for i in answer.output if i.type != "reasoning"] == ["function_call"]
    answer = openai.responses.create(model=VLLM, tools=[WEATHER], tool_choice="none", input=ASKING)
    assert "function_call" not in [item.type for item in answer.output]


class Bird(BaseModel):
    name: str
    can_fly: bool
    legs: int


@pytest.mark.parametrize("model", [LEGACY, OPENAI, GEMMA])
def test_a_schema_is_filled_in(openai: OpenAI, model: str) -> None:
    answer = openai.responses.parse(model=model, input="Describe a bird", text_format=Bird)
    assert isinstance(answer.output_parsed, Bird)


def test_a_streamed_schema_is_filled_in(openai: OpenAI) -> None:
    with openai.responses.stream(model=VLLM, input="Describe it", text_format=Bird) as stream:
        answer = stream.get_final_response()
    assert isinstance(answer.output_parsed, Bird)


def test_a_picture_is_seen(openai: OpenAI) -> None:
    content: Any = [
        {"type": "input_text", "text": "What colour is it?"},
        {"type": "input_image", "image_url": data_url(png()), "detail": "auto"},
    ]
    answer = openai.responses.create(model=GEMMA, input=[{"role": "user", "content": content}])
    assert "red" in answer.output_text


def test_a_picture_that_a_tool_shows_is_seen(openai: OpenAI) -> None:
    items: Any = [
        {"role": "user", "content": "What colour is it?"},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_image", "image_url": data_url(png(colour="blue"))}],
        },
    ]
    assert "blue" in openai.responses.create(model=GEMMA, input=items).output_text


def test_thoughts_come_as_an_item(openai: OpenAI) -> None:
    answer = openai.responses.create(
        model=REASONING, input="Say hello", reasoning={"effort": "high"}
    )
    thought: Any = answer.output[0]
    assert thought.type == "reasoning"
    assert thought.content[0].text
    assert thought.summary == []
    assert answer.reasoning
    assert answer.reasoning.effort == "high"


def test_thoughts_come_as_a_summary_to_who_asks_for_one(openai: OpenAI) -> None:
    with openai.responses.stream(
        model=REASONING, input="Say hello", reasoning={"summary": "auto"}
    ) as stream:
        told = "".join(
            event.delta for event in stream if event.type == "response.reasoning_summary_text.delta"
        )
        thought: Any = stream.get_final_response().output[0]
    assert told
    assert thought.summary[0].text == told


def test_an_answer_that_hits_the_limit_is_incomplete(openai: OpenAI) -> None:
    answer = openai.responses.create(model=OPENAI, input="300 words", max_output_tokens=20)
    assert answer.status == "incomplete"
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output[-1].status == "incomplete"  # type: ignore[union-attr]


def test_what_was_asked_for_is_told_again(openai: OpenAI) -> None:
    answer = openai.responses.create(
        model=VLLM,
        input="Say hello",
        instructions="Be kind.",
        metadata={"team": "birds"},
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=900,
        truncation="auto",
        parallel_tool_calls=False,
        store=True,
        user="ada",
        tools=[WEATHER],
        tool_choice="none",
        include=["reasoning.encrypted_content"],
        prompt_cache_key="one",
        safety_identifier="ada",
        service_tier="auto",
        text={"verbosity": "low"},
    )
    assert_response(answer.to_dict())
    assert answer.store is False  # type: ignore[attr-defined]
    assert answer.metadata == {"team": "birds"}
    assert (answer.temperature, answer.top_p, answer.max_output_tokens) == (0.5, 0.9, 900)
    assert answer.instructions == "Be kind."
    assert answer.parallel_tool_calls is False
    assert answer.tool_choice == "none"


def test_errors_are_of_the_right_class(openai: OpenAI, base_url: str) -> None:
    with pytest.raises(sdk.NotFoundError) as unknown:
        openai.responses.create(model="@cf/no/such-model", input="Hello")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(sdk.BadRequestError) as earlier:
        openai.responses.create(model=VLLM, input="Hello", previous_response_id="resp_1")
    assert earlier.value.param == "previous_response_id"
    with pytest.raises(sdk.BadRequestError) as tool:
        openai.responses.create(
            model=VLLM,
            input="Hello",
            tools=[{"type": "web_search"}],
            tool_choice={"type": "web_search_preview"},
        )
    assert tool.value.param == "tool_choice.type"
    with pytest.raises(sdk.BadRequestError) as kind:
        openai.responses.create(model="@cf/leonardo/phoenix-1.0", input="Hello")
    assert kind.value.param == "model"
    with pytest.raises(sdk.AuthenticationError):
        openai.with_options(api_key="sk-wai-wrong").responses.create(model=VLLM, input="Hello")


def test_a_stream_that_breaks_off_raises(openai: OpenAI) -> None:
    stream = openai.responses.create(
        model=VLLM, input="Say 9 words [simulate cut-stream after=2]", stream=True
    )
    with pytest.raises(sdk.APIError) as broken:
        list(stream)
    assert broken.value.code == "upstream_cut"


def test_the_log_has_one_row(openai: OpenAI, gateway: GatewayProcess) -> None:
    request_id = new_id()
    answer = openai.responses.create(
        model=OPENAI, input="Say hello", user="ada", extra_headers={"x-request-id": request_id}
    )
    row = gateway.row(request_id)
    assert (row.endpoint, row.status, row.end_reason) == ("responses", 200, "complete")
    assert answer.usage
    assert row.prompt_tokens == answer.usage.input_tokens
    assert row.completion_tokens == answer.usage.output_tokens
    assert row.usage_source == "upstream"
    assert row.user == "ada"
    assert row.cost_nano_usd > 0
