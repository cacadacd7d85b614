"""Each quirk of docs/workers-ai-quirks.md, sent by the simulator, seen through the gateway."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.openai_api.chats import WEATHER_TOOL
from tests.openai_api.schemas import assert_chunks, assert_completion

CHAT = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
THINKS_IN_TEXT = "@cf/qwen/qwq-32b"
FORCED = "@cf/openai/gpt-oss-120b"
TABLE = Path(__file__).resolve().parents[2] / "docs" / "workers-ai-quirks.md"
LONDON = [("get_weather", {"location": "London"})]


@dataclass(frozen=True)
class Quirk:
    """A scenario of the simulator and what a client must see of it; None: whatever it is."""

    number: str
    scenario: str
    text: str | None = None
    reasoning: bool | None = False
    finish: str | None = "stop"
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    usage: tuple[int, int] | None = None
    error: str | None = None  # code of the error event that ends the stream
    model: str = CHAT

    def __str__(self) -> str:
        return f"{self.number} {self.scenario}"

    @property
    def about_tools(self) -> bool:
        return bool(self.calls)

    def request(self, *, stream: bool) -> dict[str, Any]:
        question = "What is the weather in London?" if self.about_tools else "What is up?"
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": f"[simulate {self.scenario}] {question}"}],
            "stream": stream,
        }
        if stream:
            body["stream_options"] = {"include_usage": True}
        if self.about_tools:
            body["tools"] = [WEATHER_TOOL]
        if self.model == FORCED:
            body["tool_choice"] = {"type": "function", "function": {"name": "get_weather"}}
        return body


def tool(number: str, scenario: str, **expected: Any) -> Quirk:
    expected = {"text": "", "calls": LONDON, "finish": "tool_calls", **expected}
    return Quirk(number, scenario, **expected)


STREAMS = [
    Quirk("8.1", "legacy-chunks", text="Hello world", usage=(14, 16)),
    Quirk("8.1", "batched-legacy-chunks", text="Hello world"),
    Quirk("8.2", "number-deltas", text="6 0.50 3.10 3e+50 155724 true false "),
    Quirk("8.2", "number-deltas-legacy", text="155724 0.50 3e+50 true"),
    Quirk("8.3", "no-index", text="**Bold**"),
    Quirk("8.4", "bare-deltas", text="**Bold**"),
    Quirk("8.5", "changing-id", text="Seen.", reasoning=True),
    Quirk("8.6", "usage-increments", text="Hi!", usage=(14, 3)),
    Quirk("8.6", "usage-cumulative", text="Hi!", usage=(13, 4)),
    Quirk("8.7", "trailing-legacy-usage", text="Hi!", usage=(14, 16)),
    Quirk("8.8", "empty-choices-usage", text="Hi!", usage=(14, 16)),
    Quirk("8.9", "sglang-frames", text="Hi!"),
    Quirk("8.10", "reasoning-field field=reasoning", text="Hi!", reasoning=True),
    Quirk("8.10", "reasoning-field field=reasoning_content", text="Hi!", reasoning=True),
    Quirk("8.11", "inline-think opened=yes", text="Hi!", reasoning=True, model=THINKS_IN_TEXT),
    Quirk("8.11", "inline-think opened=no", text="Hi!", reasoning=True, model=THINKS_IN_TEXT),
    Quirk("8.11", "inline-think-legacy", text="Hi!", reasoning=True, model=THINKS_IN_TEXT),
    tool("8.12", "flat-tool-call"),
    tool("8.13", "top-level-tool-call"),
    tool("8.14", "unindexed-tool-calls", calls=LONDON * 2),
    tool("8.15", "null-sentinel-tool-call"),
    Quirk("8.16", "empty-tool-calls", text="hi there"),
    tool("8.17", "repeated-tool-id"),
    tool("8.18", "leaked-tool-call form=flat", model=FORCED),
    tool("8.18", "leaked-tool-call form=arguments", model=FORCED),
    tool("8.18", "leaked-tool-call form=list", model=FORCED),
    tool("8.19", "stop-with-tool-call"),
    Quirk("8.19", "finish-reason value=model_length", text="Hi!", finish="length"),
    Quirk("8.19", "finish-reason value=MAX_TOKENS", text="Hi!", finish="length"),
    Quirk("8.19", "finish-reason value=unknown", text="Hi!"),
    Quirk("8.19", "finish-reason value=error", text="Hi!", error="upstream_error"),
    Quirk("8.19", "no-finish-reason", text="Hi!"),
    Quirk("8.19", "finish-on-usage", text="Hi!"),
    Quirk("8.19", "two-finishes", text="Hi!", finish="length"),
    Quirk("8.20", "no-done", text="Hi!"),
    Quirk("8.20", "cut-without-finish", text="Hi, I was just", error="upstream_cut"),
    Quirk("8.20", "only-done"),
    Quirk("8.20", "double-done", text="Hi!", usage=(14, 16)),
    Quirk("8.20", "cut-after-end after=finish", text="Hi!"),
    Quirk("8.20", "cut-after-end after=DONE", text="Hi!", usage=(14, 16)),
    Quirk("8.21", "wrong-content-type type=application/json"),
    Quirk("8.21", "wrong-content-type type=text/plain"),
    Quirk("8.21", "json-for-stream shape=completion", text="Not a stream."),
    Quirk("8.21", "json-for-stream shape=legacy", text="Not a stream."),
    Quirk("8.21", "json-for-stream shape=empty"),
    Quirk("8.22", "error-event form=error", text="Hi, I was", error="upstream_error"),
    Quirk("8.22", "error-event form=errors", text="Hi, I was", error="upstream_error"),
    Quirk("8.22", "error-event form=event", text="Hi, I was", error="upstream_error"),
    Quirk("8.22", "cut-stream", error="upstream_cut"),
    Quirk("8.23", "garbage-lines"),
    Quirk("8.23", "glued-events"),
    Quirk("8.23", "crlf"),
    Quirk("8.23", "comments"),
    Quirk("8.23", "event-and-id-lines"),
    Quirk("8.23", "no-space"),
    Quirk("8.23", "multi-line-data"),
    Quirk("8.23", "no-last-newline"),
    Quirk("8.23", "split-bytes"),
    Quirk("8.23", "clumped"),
    Quirk("8.23", "huge-event"),
    Quirk("8.23", "raw-text", text="one\ttwo!"),
    Quirk("8.24", "moondream-events", text="Network Settings"),
    Quirk("8.25", "reasoning-only", text="", reasoning=True, finish="length"),
    Quirk("8.26", "one-delta", text="All of it at once."),
    tool("8.27", "garbled-tool-call form=shared-id", calls=LONDON * 2),
    tool("8.27", "garbled-tool-call form=by-id", calls=LONDON * 2),
    tool("8.27", "garbled-tool-call form=json-in-json"),
    tool("8.27", "garbled-tool-call form=token"),
    tool("8.27", "garbled-tool-call form=name-pieces"),
    tool("8.27", "garbled-tool-call form=object"),
    tool("8.27", "garbled-tool-call form=legacy"),
    Quirk("8.28", "thought-parts", text="Hi!", reasoning=True),
]

ANSWERS = [
    Quirk("9.1", "envelope"),
    Quirk("9.2", "odd-response value=number", text="155724"),
    Quirk("9.2", "odd-response value=object"),
    Quirk("9.3", "null-content", text="", reasoning=True),
    Quirk("9.4", "object-content shape=object"),
    tool("9.5", "flat-tool-call"),
    tool("9.5", "text-arguments"),
    Quirk("9.6", "no-finish-reason"),
    Quirk("9.6", "extra-fields"),
    tool("9.6", "stop-with-tool-call"),
    Quirk("9.7", "no-usage"),
    Quirk("9.7", "zero-usage"),
    Quirk("9.8", "odd-ids"),
    Quirk("9.9", "empty-success-once"),
    tool("9.10", "leaked-tool-call form=arguments", model=FORCED, reasoning=None),
    Quirk("9.13", "wrong-content-type type=application/json", text="Hi!"),
]


@dataclass
class Seen:
    """An answer as a client puts it together."""

    text: str = ""
    reasoning: str = ""
    finish: str | None = None
    calls: list[list[str]] = field(default_factory=list)
    usage: tuple[int, int] | None = None
    error: str | None = None
    done: bool = False


def seen_in(body: str) -> Seen:
    """The stream in `body`, each chunk checked on the way."""
    seen, chunks = Seen(), []
    for event in body.split("\n\n"):
        if not event.startswith("data: "):
            continue
        if event == "data: [DONE]":
            assert not seen.done, "[DONE] comes twice"
            seen.done = True
            continue
        assert not seen.done, "something follows [DONE]"
        chunk = orjson.loads(event[6:])
        if "error" in chunk:
            seen.error = chunk["error"]["code"]
            continue
        chunks.append(chunk)
        if chunk.get("usage"):
            seen.usage = chunk["usage"]["prompt_tokens"], chunk["usage"]["completion_tokens"]
        for choice in chunk["choices"]:
            delta = choice["delta"]
            seen.text += delta.get("content", "")
            seen.reasoning += delta.get("reasoning_content", "")
            seen.finish = choice["finish_reason"] or seen.finish
            for call in delta.get("tool_calls", ()):
                if call["index"] == len(seen.calls):
                    seen.calls.append(["", ""])
                seen.calls[call["index"]][0] += call["function"].get("name", "")
                seen.calls[call["index"]][1] += call["function"].get("arguments", "")
    assert_chunks(chunks, finished=seen.error is None)
    return seen


def check(quirk: Quirk, seen: Seen) -> None:
    if quirk.text is not None:
        assert seen.text == quirk.text
    elif not quirk.error:
        assert seen.text
    if quirk.reasoning is not None:
        assert bool(seen.reasoning) == quirk.reasoning
    assert [(name, orjson.loads(text)) for name, text in seen.calls] == quirk.calls
    assert seen.finish == quirk.finish
    if quirk.usage is not None:
        assert seen.usage == quirk.usage
    assert seen.usage and min(seen.usage) > 0


@pytest.mark.parametrize("quirk", STREAMS, ids=str)
def test_stream_quirk(client: httpx.Client, quirk: Quirk) -> None:
    response = client.post("/chat/completions", json=quirk.request(stream=True))
    assert response.status_code == 200, response.text
    seen = seen_in(response.text)
    assert seen.error == quirk.error
    if quirk.error:
        assert not seen.done and seen.finish is None
        assert quirk.text is None or seen.text == quirk.text
        return
    assert seen.done
    check(quirk, seen)


@pytest.mark.parametrize("quirk", ANSWERS, ids=str)
def test_answer_quirk(client: httpx.Client, quirk: Quirk) -> None:
    response = client.post("/chat/completions", json=quirk.request(stream=False))
    assert response.status_code == 200, response.text
    body = response.json()
    assert_completion(body)
    choice = body["choices"][0]
    message = choice["message"]
    calls = [call["function"] for call in message.get("tool_calls", ())]
    seen = Seen(
        text=message["content"] or "",
        reasoning=message.get("reasoning_content", ""),
        finish=choice["finish_reason"],
        calls=[[call["name"], call["arguments"]] for call in calls],
        usage=(body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]),
    )
    assert body["model"] == quirk.model
    check(quirk, seen)


def test_a_success_that_says_it_failed_is_the_callers_error(client: httpx.Client) -> None:
    quirk = Quirk("9.11", "success-false")
    response = client.post("/chat/completions", json=quirk.request(stream=False))
    assert response.status_code == 400
    assert "JSON Mode" in response.json()["error"]["message"]


@pytest.mark.parametrize("scenario", ["lying-content-type", "data-uri-image"])
def test_a_picture_is_known_by_its_bytes(client: httpx.Client, scenario: str) -> None:
    response = client.post(
        "/images/generations",
        json={
            "model": "@cf/leonardo/lucid-origin",
            "prompt": f"[simulate {scenario}] a fox",
            "response_format": "url",
        },
    )
    assert response.status_code == 200, response.text
    head, _, data = response.json()["data"][0]["url"].partition(",")
    starts = {"data:image/png;base64": "iVBORw0KGgo", "data:image/jpeg;base64": "/9j/"}
    assert data.startswith(starts[head])


def test_an_error_in_json_is_not_taken_for_a_picture(client: httpx.Client) -> None:
    response = client.post(
        "/images/generations",
        json={"model": "@cf/leonardo/phoenix-1.0", "prompt": "[simulate error-as-json] a fox"},
    )
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_error"


def quirks_of_the_table() -> dict[str, list[str]]:
    """Number → names of its tests, as the table has them."""
    rows = re.findall(r"^\| (\d+\.\d+) \|.*\|([^|]+)\|$", TABLE.read_text(), re.MULTILINE)
    return {number: re.findall(r"`([^`]+)`", tests) for number, tests in rows}


def test_every_quirk_of_the_table_has_its_tests() -> None:
    table = quirks_of_the_table()
    assert list(table) == [f"8.{n}" for n in range(1, 29)] + [f"9.{n}" for n in range(1, 14)]
    known = {f"test_stream_quirk[{quirk}]": quirk.number for quirk in STREAMS}
    known |= {f"test_answer_quirk[{quirk}]": quirk.number for quirk in ANSWERS}
    for number, tests in table.items():
        assert tests, f"quirk {number} has no test"
        for name in tests:
            if "[" in name:
                assert known.get(name) == number, f"{name} is no test of {number}"
            else:
                assert name in globals(), f"{name} does not exist"
    listed = {name for tests in table.values() for name in tests}
    assert set(known) <= listed, "tests that the table does not name"
