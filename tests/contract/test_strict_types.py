"""Answers read by the SDKs' own types strictly: each required field is there, of the right type.

The SDKs themselves read leniently, and what is missing is found out later, by their users' code.
"""

import json
from typing import Any

import httpx
import pytest
from anthropic.types import (
    Message,
    MessageTokensCount,
    ModelInfo,
    RawMessageStreamEvent,
)
from openai.types import (
    Completion,
    CreateEmbeddingResponse,
    ImagesResponse,
    Model,
    ModerationCreateResponse,
)
from openai.types.audio import TranscriptionVerbose
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.input_token_count_response import InputTokenCountResponse
from pydantic import TypeAdapter

from tests.openai_api.chats import OPENAI, REASONING, SGLANG, VLLM, WEATHER_TOOL
from workers_ai.simulator.tasks import sound

RECORDING = sound.wav("one two three", 8000)
ASKED = "What is the weather in Paris?"
FLAT_TOOL = {"type": "function", **WEATHER_TOOL["function"]}  # type: ignore[dict-item]
OWN_TOOL = {"name": "get_weather", "input_schema": FLAT_TOOL["parameters"]}
CHAT = {"messages": [{"role": "user", "content": ASKED}], "tools": [WEATHER_TOOL]}
RESPONSE = {"input": ASKED, "tools": [FLAT_TOOL]}
MESSAGE = {"messages": CHAT["messages"], "tools": [OWN_TOOL], "max_tokens": 500}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


def read(kind: Any, data: Any) -> None:
    TypeAdapter(kind).validate_python(data)


def events(client: httpx.Client, path: str, body: dict[str, Any]) -> list[Any]:
    text = client.post(path, json={**body, "stream": True}).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


@pytest.mark.parametrize("model", [VLLM, OPENAI, REASONING, SGLANG])
@pytest.mark.parametrize("more", [{}, {"tools": None}], ids=["call", "text"])
def test_conversations(client: httpx.Client, model: str, more: dict[str, Any]) -> None:
    chat = {**CHAT, "model": model, "stream_options": {"include_usage": True}, **more}
    response = {**RESPONSE, "model": model, **more}
    message = {**MESSAGE, **THINKING, "model": model, **more}
    read(ChatCompletion, client.post("/chat/completions", json=chat).json())
    read(list[ChatCompletionChunk], events(client, "/chat/completions", chat))
    read(Response, client.post("/responses", json=response).json())
    read(list[ResponseStreamEvent], events(client, "/responses", response))
    read(Message, client.post("/messages", json=message).json())
    told = events(client, "/messages", message)
    # Anthropic's documents have pings, its types have none.
    read(list[RawMessageStreamEvent], [event for event in told if event["type"] != "ping"])


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/completions", Completion, {"model": OPENAI, "prompt": "Say hello"}),
        (
            "/embeddings",
            CreateEmbeddingResponse,
            {"model": "@cf/baai/bge-base-en-v1.5", "input": "x"},
        ),
        (
            "/images/generations",
            ImagesResponse,
            {"model": "@cf/black-forest-labs/flux-1-schnell", "prompt": "x"},
        ),
        ("/moderations", ModerationCreateResponse, {"input": "Hello"}),
        ("/responses/input_tokens", InputTokenCountResponse, {"model": OPENAI, "input": "hi"}),
        ("/messages/count_tokens", MessageTokensCount, {**MESSAGE, "model": OPENAI}),
    ],
)
def test_other_answers(client: httpx.Client, path: str, kind: Any, body: dict[str, Any]) -> None:
    read(kind, client.post(path, json=body).json())


def test_models(client: httpx.Client) -> None:
    listed = client.get("/models").json()["data"]
    read(list[Model], listed)
    read(list[ModelInfo], listed)


def test_transcripts(client: httpx.Client) -> None:
    form = {"model": "@cf/openai/whisper-large-v3-turbo", "response_format": "verbose_json"}
    answer = client.post("/audio/transcriptions", data=form, files={"file": ("a.wav", RECORDING)})
    read(TranscriptionVerbose, answer.json())
