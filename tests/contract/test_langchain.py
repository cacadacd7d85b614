"""LangChain's `ChatOpenAI` and `OpenAIEmbeddings`, unmodified."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field, SecretStr

from tests.openai_api.chats import LEGACY, OPENAI, REASONING, SGLANG, THINK, VLLM

EVERY_DIALECT = [LEGACY, OPENAI, VLLM, SGLANG, REASONING, THINK]
CALLING = [OPENAI, VLLM, SGLANG, REASONING]
Chat = Callable[..., ChatOpenAI]


class City(BaseModel):
    """A city."""

    name: str = Field(description="its name")
    population: int = Field(description="how many live there")


@tool
def get_weather(location: str) -> str:
    """The weather at a place."""
    return f"sunny in {location}"


@pytest.fixture
def chat(base_url: str, key: str, monkeypatch: pytest.MonkeyPatch) -> Chat:
    # A developer's own tracing would send every run to its maker.
    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")

    def make(model: str, **fields: Any) -> ChatOpenAI:
        return ChatOpenAI(
            model=model, base_url=base_url, api_key=SecretStr(key), max_retries=0, **fields
        )

    return make


@pytest.mark.parametrize("model", EVERY_DIALECT)
def test_invoke_gives_text_and_usage(chat: Chat, model: str) -> None:
    answer = chat(model).invoke("Say 42 birds")
    assert answer.content == "42 birds"
    assert answer.usage_metadata
    assert answer.usage_metadata["output_tokens"] > 0
    assert answer.response_metadata["finish_reason"] == "stop"


@pytest.mark.parametrize("model", EVERY_DIALECT)
@pytest.mark.parametrize("stream_usage", [False, True])
def test_stream_gives_the_text_and_usage_when_asked(
    chat: Chat, model: str, stream_usage: bool
) -> None:
    whole = None
    for chunk in chat(model, stream_usage=stream_usage).stream("Say 42 birds"):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.content == "42 birds"
    assert (whole.usage_metadata is not None) == stream_usage


async def test_astream_gives_the_text(chat: Chat) -> None:
    pieces = [str(chunk.content) async for chunk in chat(OPENAI).astream("Say 42 birds")]
    assert "".join(pieces) == "42 birds"


@pytest.mark.parametrize("model", CALLING)
@pytest.mark.parametrize("streaming", [False, True])
def test_bound_tools_are_called_and_answered(chat: Chat, model: str, streaming: bool) -> None:
    bound = chat(model, streaming=streaming).bind_tools([get_weather])
    messages: list[Any] = [HumanMessage("What is the weather in Paris and Rome?")]
    asked = bound.invoke(messages)
    assert [call["args"] for call in asked.tool_calls] == [
        {"location": "Paris"},
        {"location": "Rome"},
    ]
    results = [get_weather.invoke(call) for call in asked.tool_calls]
    assert all(isinstance(result, ToolMessage) for result in results)
    answer = bound.invoke([*messages, asked, *results])
    assert "sunny in Paris; sunny in Rome" in str(answer.content)


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("model", CALLING)
def test_structured_output_is_a_model(chat: Chat, model: str, method: Any) -> None:
    structured = chat(model).with_structured_output(
        City if method != "json_mode" else None, method=method
    )
    found = structured.invoke("Describe the city of Paris in JSON")
    assert isinstance(found, dict if method == "json_mode" else City)


def test_a_batch_is_answered_in_order(chat: Chat) -> None:
    answers = chat(OPENAI).batch([f"Say number {n}" for n in range(6)])
    assert [answer.content for answer in answers] == [f"number {n}" for n in range(6)]


def test_texts_are_embedded_once_tokens_are_left_alone(base_url: str, key: str) -> None:
    embeddings = OpenAIEmbeddings(
        model="@cf/baai/bge-base-en-v1.5",
        base_url=base_url,
        api_key=SecretStr(key),
        check_embedding_ctx_length=False,
        max_retries=0,
    )
    assert [len(one) for one in embeddings.embed_documents(["a cat", "a dog"])] == [768, 768]
