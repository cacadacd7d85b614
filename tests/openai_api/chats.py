"""Asking the gateway for chats, whole and streamed, and reading what comes as a strict client."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.openai_api.schemas import assert_chunks, assert_completion, assert_error_body

LEGACY = "@cf/meta/llama-3-8b-instruct"
OPENAI = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
VLLM = "@cf/openai/gpt-oss-120b"
SGLANG = "@cf/zai-org/glm-5.3"
REASONING = "@cf/moonshotai/kimi-k2.6"
THINK = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"
THINK_UNOPENED = "@cf/qwen/qwq-32b"

WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "a city"}},
            "required": ["location"],
        },
    },
}


def new_id() -> str:
    return f"test-{uuid.uuid4().hex}"


def chat_body(text: str = "Say hello", model: str = OPENAI, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def post(
    client: httpx.Client, body: Any, *, request_id: str = "", **headers: str
) -> httpx.Response:
    headers["x-request-id"] = request_id or new_id()
    return client.post("/chat/completions", json=body, headers=headers)


def ask(client: httpx.Client, text: str = "Say hello", **fields: Any) -> dict[str, Any]:
    """A whole answer, checked to be strict."""
    response = post(client, chat_body(text, **fields))
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    assert_completion(body)
    return body


@dataclass
class Streamed:
    """What a client saw of one stream; `at_s` has the arrival of each event."""

    status: int
    headers: httpx.Headers
    chunks: list[dict[str, Any]] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    comments: list[float] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    dones: int = 0

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]

    @property
    def text(self) -> str:
        return "".join(delta.get("content", "") for delta in self.deltas)

    @property
    def reasoning(self) -> str:
        return "".join(delta.get("reasoning_content", "") for delta in self.deltas)

    @property
    def calls(self) -> list[tuple[str, str]]:
        found: dict[int, list[str]] = {}
        for delta in self.deltas:
            for part in delta.get("tool_calls", ()):
                call = found.setdefault(part["index"], ["", ""])
                call[0] += part["function"].get("name", "")
                call[1] += part["function"].get("arguments", "")
        return [(name, arguments) for name, arguments in found.values()]

    @property
    def finish_reason(self) -> str | None:
        reasons = [c["finish_reason"] for chunk in self.chunks for c in chunk["choices"]]
        return next((reason for reason in reasons if reason), None)

    @property
    def usage(self) -> dict[str, Any] | None:
        return next((chunk["usage"] for chunk in self.chunks if chunk.get("usage")), None)


def events(response: httpx.Response, seen: Streamed) -> Iterator[None]:
    """Reads on, event by event, into `seen`."""
    for line in response.iter_lines():
        if line.startswith(":"):
            seen.comments.append(time.monotonic())
            yield
        elif line.startswith("data: "):
            assert seen.dones == 0, "something follows [DONE]"
            data = line[6:]
            if data == "[DONE]":
                seen.dones += 1
            else:
                event = json.loads(data)
                if "error" in event:
                    assert_error_body(event)
                    seen.errors.append(event["error"])
                else:
                    seen.chunks.append(event)
            seen.at_s.append(time.monotonic())
            yield
        else:
            assert line == "", f"a line that is no event: {line!r}"


@contextmanager
def opened(
    client: httpx.Client, body: dict[str, Any], *, request_id: str = "", **headers: str
) -> Iterator[tuple[httpx.Response, Streamed]]:
    headers["x-request-id"] = request_id or new_id()
    body = {**body, "stream": True}
    with client.stream("POST", "/chat/completions", json=body, headers=headers) as response:
        yield response, Streamed(response.status_code, response.headers)


def stream(
    client: httpx.Client, text: str = "Say hello", *, request_id: str = "", **fields: Any
) -> Streamed:
    """A stream read to its end and checked to be strict: `[DONE]` at its end, or an error."""
    with opened(client, chat_body(text, **fields), request_id=request_id) as (response, seen):
        if response.status_code != 200:
            raise AssertionError(f"{response.status_code}: {response.read().decode()}")
        for _ in events(response, seen):
            pass
    assert seen.dones + len(seen.errors) == 1, "a stream ends with [DONE] or an error, once"
    if seen.chunks:
        assert_chunks(seen.chunks, finished=not seen.errors)
    return seen
