"""`/v1/messages` by the unmodified `anthropic` package for Python."""

import base64
from collections.abc import Iterator
from typing import Any

import anthropic as sdk
import pytest
from anthropic import Anthropic, beta_tool
from pydantic import BaseModel

from tests.contract.pictures import png
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, REASONING, SGLANG, THINK, VLLM, new_id
from tests.openai_api.event_rules import assert_message

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
ASKING = "What is the weather in Paris?"
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather at a place",
    "input_schema": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "a city"}},
        "required": ["location"],
    },
    "cache_control": {"type": "ephemeral"},
}
THINKING: Any = {"type": "enabled", "budget_tokens": 2000}


@pytest.fixture
def anthropic(gateway: GatewayProcess, key: str) -> Iterator[Anthropic]:
    """As its users make it: the address without `/v1`, which the client adds itself."""
    with Anthropic(base_url=gateway.url, api_key=key, max_retries=0, timeout=20) as client:
        yield client


def said(text: Any) -> list[Any]:
    return [{"role": "user", "content": text}]


def ask(client: Anthropic, text: Any, model: str = VLLM, **fields: Any) -> Any:
    fields.setdefault("messages", said(text))
    fields.setdefault("max_tokens", 2000)
    return client.messages.create(model=model, **fields)


@pytest.mark.parametrize("model", [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK])
def test_a_message_is_answered(anthropic: Anthropic, model: str) -> None:
    answer = ask(anthropic, "Say 42 birds", model, system="Be brief.")
    assert_message(answer.to_dict())
    assert [block.text for block in answer.content] == ["42 birds"]
    assert answer.stop_reason == "end_turn"
    assert answer.model == model
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer._request_id


@pytest.mark.parametrize("model", [LEGACY, VLLM])
def test_a_message_is_streamed(anthropic: Anthropic, model: str) -> None:
    with anthropic.messages.stream(
        model=model, max_tokens=2000, messages=said("Say five small words")
    ) as stream:
        pieces = list(stream.text_stream)
        answer = stream.get_final_message()
    assert "".join(pieces) == "five small words"
    assert len(pieces) > 1
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0


def test_the_key_may_come_as_a_bearer_token(gateway: GatewayProcess, key: str) -> None:
    with Anthropic(base_url=gateway.url, auth_token=key, max_retries=0, timeout=20) as client:
        assert ask(client, "Say hello").content[0].text == "hello"


@pytest.mark.parametrize("model", [OPENAI, VLLM, SGLANG, REASONING])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_used_over_two_turns(anthropic: Anthropic, model: str, streamed: bool) -> None:
    asked: dict[str, Any] = {
        "model": model,
        "max_tokens": 2000,
        "tools": [WEATHER],
        "thinking": THINKING,
        "system": [{"type": "text", "text": "Use tools.", "cache_control": {"type": "ephemeral"}}],
    }
    messages = said(ASKING)
    if streamed:
        with anthropic.messages.stream(messages=messages, **asked) as stream:
            first: Any = stream.get_final_message()
    else:
        first = anthropic.messages.create(messages=messages, **asked)
    assert first.stop_reason == "tool_use"
    [call] = [block for block in first.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("get_weather", {"location": "Paris"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    messages += [
        {"role": "assistant", "content": [block.to_dict() for block in first.content]},
        {"role": "user", "content": [result]},
    ]
    second = anthropic.messages.create(messages=messages, **asked)
    assert "18 degrees" in second.content[-1].text  # type: ignore[union-attr]


def test_the_tool_runner_runs_to_its_end(anthropic: Anthropic) -> None:
    ran: list[str] = []

    @beta_tool
    def get_weather(location: str) -> str:
        """The weather at a place.

        Args:
            location: a city
        """
        ran.append(location)
        return "Sunny, 21 degrees."

    runner = anthropic.beta.messages.tool_runner(
        model=VLLM, max_tokens=500, tools=[get_weather], messages=said(ASKING)
    )
    last = runner.until_done()
    assert ran
    assert last.stop_reason == "end_turn"


def test_tools_are_called_side_by_side(anthropic: Anthropic) -> None:
    answer = ask(anthropic, "What is the weather in Paris and in Rome?", tools=[WEATHER])
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [call.input["location"] for call in calls] == ["Paris", "Rome"]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
def test_a_tool_can_be_forced(anthropic: Anthropic, choice: Any) -> None:
    answer = ask(anthropic, "Weather in Paris, please", tools=[WEATHER], tool_choice=choice)
    assert [block.type for block in answer.content] == ["tool_use"]


def test_tools_can_be_forbidden(anthropic: Anthropic) -> None:
    answer = ask(anthropic, ASKING, tools=[WEATHER], tool_choice={"type": "none"})
    assert [block.type for block in answer.content] == ["text"]


def test_a_picture_is_seen(anthropic: Anthropic) -> None:
    data = base64.b64encode(png()).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What colour is it?"}]
    assert "red" in ask(anthropic, content, GEMMA).content[0].text


def test_a_picture_that_a_tool_shows_is_seen(anthropic: Anthropic) -> None:
    data = base64.b64encode(png(colour="blue")).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "image", "source": source}],
    }
    messages = [
        *said("What colour is it?"),
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}],
        },
        *said([result, {"type": "text", "text": "What colour is it?"}]),
    ]
    assert "blue" in ask(anthropic, "", GEMMA, messages=messages).content[0].text


def test_thoughts_come_when_they_are_asked_for(anthropic: Anthropic) -> None:
    thought, text = ask(anthropic, "Say hello", REASONING, thinking=THINKING).content
    assert (thought.type, text.text) == ("thinking", "hello")
    assert thought.thinking
    assert thought.signature


def test_thoughts_are_streamed(anthropic: Anthropic) -> None:
    with anthropic.messages.stream(
        model=REASONING, max_tokens=2000, messages=said("Say hello"), thinking=THINKING
    ) as stream:
        told = "".join(event.thinking for event in stream if event.type == "thinking")
        thought: Any = stream.get_final_message().content[0]
    assert told
    assert thought.thinking == told
    assert thought.signature


def test_a_stop_sequence_is_named(anthropic: Anthropic) -> None:
    answer = ask(anthropic, "Say one two three", LEGACY, stop_sequences=["never", "two"])
    assert answer.content[0].text == "one "
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "two")


def test_the_limit_ends_the_answer(anthropic: Anthropic) -> None:
    answer = ask(anthropic, "300 words", OPENAI, max_tokens=20)
    assert answer.stop_reason == "max_tokens"


class Bird(BaseModel):
    name: str
    legs: int


def test_a_schema_is_filled_in(anthropic: Anthropic) -> None:
    answer = anthropic.messages.parse(
        model=OPENAI, max_tokens=2000, messages=said("Describe a bird"), output_format=Bird
    )
    assert isinstance(answer.parsed_output, Bird)


def test_everything_that_anthropic_has_may_be_sent(anthropic: Anthropic) -> None:
    answer = ask(
        anthropic,
        "Say hello",
        metadata={"user_id": "ada"},
        service_tier="auto",
        # What older clients of this package send, and newer ones in their betas.
        extra_body={
            "temperature": 0.5,
            "top_k": 10,
            "top_p": 0.9,
            "context_management": {"edits": []},
            "container": None,
        },
        extra_headers={"anthropic-beta": "one,two"},
    )
    assert answer.content[0].text == "hello"


def test_tokens_are_counted(anthropic: Anthropic) -> None:
    short = anthropic.messages.count_tokens(model=VLLM, messages=said("Hello"))
    long = anthropic.messages.count_tokens(
        model=VLLM, messages=said("Hello" * 400), system="Be brief.", tools=[WEATHER]
    )
    assert 0 < short.input_tokens < 100 < long.input_tokens


def test_past_thoughts_are_counted(anthropic: Anthropic) -> None:
    def tokens(*thoughts: Any) -> int:
        answered = {"role": "assistant", "content": [*thoughts, {"type": "text", "text": "Yes"}]}
        turns: Any = [*said("Hello"), answered, *said("Why?")]
        return anthropic.messages.count_tokens(model=VLLM, messages=turns).input_tokens

    thought = {"type": "thinking", "thinking": "I should agree. " * 50, "signature": "s"}
    assert tokens(thought) > tokens() + 100


def test_models_are_listed_in_pages_and_found(anthropic: Anthropic) -> None:
    models = list(anthropic.models.list(limit=7))
    assert len(models) > 15
    assert len({model.id for model in models}) == len(models)
    for model in models:
        assert (model.type, model.lifecycle) in {("model", "active"), ("model", "deprecated")}
        assert model.display_name
        assert model.created_at.year > 2020
    assert ask(anthropic, "Say hi", models[0].id).content
    found = anthropic.models.retrieve(OPENAI)
    assert found == next(model for model in models if model.id == OPENAI)
    assert found.max_input_tokens == 24000
    with pytest.raises(sdk.NotFoundError) as refused:
        anthropic.models.retrieve("claude-sonnet-5")
    assert refused.value.type == "not_found_error"


def test_errors_are_of_the_right_class(anthropic: Anthropic) -> None:
    with pytest.raises(sdk.NotFoundError) as unknown:
        ask(anthropic, "Hello", "@cf/no/such-model")
    assert unknown.value.type == "not_found_error"
    assert unknown.value.request_id
    with pytest.raises(sdk.BadRequestError, match="web_search"):
        ask(anthropic, "Hello", tools=[{"type": "web_search_20250305", "name": "web_search"}])
    with pytest.raises(sdk.BadRequestError, match="cannot be used with this endpoint"):
        ask(anthropic, "Hello", "@cf/leonardo/phoenix-1.0")
    with pytest.raises(sdk.AuthenticationError):
        ask(anthropic.with_options(api_key="sk-wai-wrong"), "Hello")
    with pytest.raises(sdk.RateLimitError):
        ask(anthropic, "Hello [simulate error-3036]")
    with pytest.raises(sdk.InternalServerError):
        ask(anthropic, "Hello [simulate empty-success]")


def test_a_stream_that_breaks_off_raises(anthropic: Anthropic) -> None:
    with (
        pytest.raises(sdk.APIStatusError, match="broke off"),
        anthropic.messages.stream(
            model=VLLM,
            max_tokens=2000,
            messages=said("Say 9 words [simulate cut-stream after=2]"),
        ) as stream,
    ):
        stream.until_done()


def test_the_log_has_one_row(anthropic: Anthropic, gateway: GatewayProcess) -> None:
    request_id = new_id()
    answer = ask(
        anthropic,
        "Say hello",
        OPENAI,
        metadata={"user_id": "ada"},
        extra_headers={"x-request-id": request_id},
    )
    row = gateway.row(request_id)
    assert (row.endpoint, row.status, row.end_reason) == ("messages", 200, "complete")
    usage = answer.usage
    assert row.prompt_tokens == usage.input_tokens + usage.cache_read_input_tokens
    assert row.completion_tokens == usage.output_tokens
    assert row.usage_source == "upstream"
    assert row.user == "ada"
    assert row.cost_nano_usd > 0
