"""Captured text over HTTP: what is stored of every endpoint, and of other keys nothing."""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from keys.models import CapturedText
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, THINK, WEATHER_TOOL, chat_body, new_id
from tests.openai_api.image_edits.test_image_edits import png
from tests.openai_api.images.test_images import SCHNELL
from tests.openai_api.transcriptions.test_transcriptions import RECORDING, TEXT, TURBO
from workers_ai.simulator.serve import RunningSimulator

EMBEDDINGS = "@cf/baai/bge-m3"
Captured = Callable[[str], CapturedText]


@pytest.fixture(scope="module")
def captured_key(session_gateway: GatewayProcess) -> str:
    return session_gateway.issue_key("watched", capture_text=True)


@pytest.fixture
def watched(client: httpx.Client, captured_key: str) -> httpx.Client:
    client.headers["authorization"] = f"Bearer {captured_key}"
    return client


@pytest.fixture
def captured(gateway: GatewayProcess) -> Captured:
    def find(request_id: str) -> CapturedText:
        row = gateway.row(request_id)
        found = gateway.database(lambda: CapturedText.of(row))
        assert found is not None
        return found

    return find


def post(client: httpx.Client, path: str, **options: Any) -> tuple[str, httpx.Response]:
    request_id = new_id()
    return request_id, client.post(path, headers={"x-request-id": request_id}, **options)


def test_a_key_without_capture_stores_nothing(
    client: httpx.Client, gateway: GatewayProcess
) -> None:
    request_id, _ = post(client, "/chat/completions", json=chat_body("Say hello"))
    gateway.row(request_id)
    assert not gateway.database(CapturedText.objects.filter(request_id=request_id).exists)


def test_a_chat_is_stored_as_it_was_sent_and_answered(
    watched: httpx.Client, captured: Captured
) -> None:
    body = chat_body("Say 1 blue 42 birds", temperature=0.5)
    request_id, response = post(watched, "/chat/completions", json=body)
    text = captured(request_id)
    assert json.loads(text.asked) == body
    assert json.loads(text.answered) == response.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", chat_body("Say 1 blue 42 birds")),
        ("/completions", {"model": OPENAI, "prompt": "Say 1 blue 42 birds"}),
        ("/responses", {"model": OPENAI, "input": "Say 1 blue 42 birds"}),
        ("/messages", {**chat_body("Say 1 blue 42 birds"), "max_tokens": 400}),
    ],
)
def test_of_a_stream_its_text_is_stored(
    watched: httpx.Client, captured: Captured, path: str, body: dict[str, Any]
) -> None:
    request_id, response = post(watched, path, json={**body, "stream": True})
    assert response.status_code == 200
    text = captured(request_id)
    assert text.answered == "1 blue 42 birds"
    assert json.loads(text.asked)["stream"] is True


def test_a_compressed_request_is_stored_as_it_was_meant(
    watched: httpx.Client, captured: Captured
) -> None:
    body = json.dumps(chat_body("Say 1 blue 42 birds")).encode()
    watched.headers["content-encoding"] = "gzip"
    request_id, response = post(watched, "/chat/completions", content=gzip.compress(body))
    assert response.status_code == 200, response.text
    assert captured(request_id).asked.encode() == body


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/messages"])
def test_thoughts_and_calls_of_tools_in_a_stream_are_stored(
    watched: httpx.Client, captured: Captured, path: str
) -> None:
    function = WEATHER_TOOL["function"]
    assert isinstance(function, dict)
    tools: dict[str, Any] = {
        "/chat/completions": WEATHER_TOOL,
        "/responses": {"type": "function", **function},
        "/messages": {"name": function["name"], "input_schema": function["parameters"]},
    }
    said = [{"role": "user", "content": "What is the weather in Paris?"}]
    turn = {"input": said} if path == "/responses" else {"messages": said, "max_tokens": 900}
    model = "@cf/openai/gpt-oss-120b"
    body = {"model": model, **turn, "tools": [tools[path]], "stream": True}
    if path == "/messages":
        body["thinking"] = {"type": "enabled", "budget_tokens": 500}
    request_id, response = post(watched, path, json=body)
    assert response.status_code == 200, response.text
    answered = captured(request_id).answered
    assert "[thoughts] " in answered
    call = answered.partition("[call ")[2].partition("] get_weather ")[2]
    assert json.loads(call) == {"location": "Paris"}


def test_pictures_are_told_by_kind_and_size(
    watched: httpx.Client, captured: Captured, gateway: GatewayProcess
) -> None:
    picture = png()
    url = "data:image/png;base64," + base64.b64encode(picture).decode()
    parts = [
        {"type": "text", "text": "Say hello"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    model = "@cf/meta/llama-4-scout-17b-16e-instruct"
    body = {"model": model, "messages": [{"role": "user", "content": parts}]}
    request_id, response = post(watched, "/chat/completions", json=body)
    assert response.status_code == 200, response.text
    told = json.loads(captured(request_id).asked)["messages"][0]["content"]
    assert told[0] == parts[0]
    assert told[1]["image_url"] == {"url": f"[image/png, {len(picture):,} bytes]"}


def test_pictures_and_vectors_that_are_answered_are_not_stored(
    watched: httpx.Client, captured: Captured
) -> None:
    request_id, response = post(
        watched, "/images/generations", json={"model": SCHNELL, "prompt": "a red cat"}
    )
    [picture] = json.loads(captured(request_id).answered)["data"]
    size = len(base64.b64decode(response.json()["data"][0]["b64_json"]))
    assert picture["b64_json"] == f"[{size:,} bytes]"
    request_id, response = post(
        watched, "/embeddings", json={"model": EMBEDDINGS, "input": ["a red cat"]}
    )
    text = captured(request_id)
    assert "a red cat" in text.asked
    count = len(response.json()["data"][0]["embedding"])
    assert json.loads(text.answered)["data"][0]["embedding"] == f"[{count:,} numbers]"


def test_of_a_form_its_fields_and_its_files_names_are_stored(
    watched: httpx.Client, captured: Captured
) -> None:
    form: dict[str, Any] = {
        "data": {"model": TURBO, "prompt": "a talk about birds", "response_format": "text"},
        "files": {"file": ("talk.wav", RECORDING, "audio/wav")},
    }
    request_id, _ = post(watched, "/audio/transcriptions", **form)
    text = captured(request_id)
    assert "prompt: a talk about birds" in text.asked.splitlines()
    assert f"file: [talk.wav, audio/wav, {len(RECORDING):,} bytes]" in text.asked.splitlines()
    assert TEXT in text.answered.lower()
    form["data"] = {"model": TURBO, "stream": "true"}
    request_id, _ = post(watched, "/audio/transcriptions", **form)
    assert TEXT in captured(request_id).answered.lower()


def test_what_fails_is_stored_as_far_as_it_came(
    watched: httpx.Client, captured: Captured, upstream: RunningSimulator
) -> None:
    request_id, response = post(watched, "/chat/completions", json=chat_body("Hi", temperature="x"))
    assert response.status_code == 400
    assert "Hi" in captured(request_id).asked
    assert captured(request_id).answered == ""
    request_id, response = post(watched, "/chat/completions", content=b'{"messages": "unfinished')
    assert response.status_code == 400
    assert captured(request_id).asked == '{"messages": "unfinished'
    upstream.set_scenario("cut-stream", path="chat", after=3)
    body = chat_body("Say 1 blue 42 birds", stream=True)
    request_id, _ = post(watched, "/chat/completions", json=body)
    answered = captured(request_id).answered
    assert answered and "1 blue 42 birds".startswith(answered.strip())


def test_a_long_text_is_cut_in_the_middle_and_says_so(
    watched: httpx.Client, captured: Captured
) -> None:
    body = chat_body("a" * 90_000 + " middle " + "b" * 60_000)
    request_id, _ = post(watched, "/embeddings", json={"model": EMBEDDINGS, "input": str(body)})
    text = captured(request_id)
    assert text.asked_characters > 150_000
    assert len(text.asked) < 101_000
    assert "characters cut here" in text.asked
    assert text.asked.startswith("{") and text.asked.endswith("}")


def test_captured_text_is_in_no_log(
    watched: httpx.Client, captured: Captured, gateway: GatewayProcess
) -> None:
    request_id, _ = post(watched, "/chat/completions", json=chat_body("Say xyzzy-in-no-log"))
    assert "xyzzy-in-no-log" in captured(request_id).asked
    assert "xyzzy-in-no-log" not in gateway.log


def test_half_characters_and_nuls_are_stored_as_what_can_be(
    watched: httpx.Client, captured: Captured
) -> None:
    body = rb'{"model": "' + THINK.encode() + rb'", "messages": "\u0000 \ud800"' + b"\x00}"
    request_id, response = post(watched, "/chat/completions", content=body)
    assert response.status_code == 400
    assert captured(request_id).asked.startswith('{"model"')
    request_id, response = post(watched, "/chat/completions", content=b"\xff\xfe\x00")
    assert response.status_code == 400
    assert captured(request_id).asked == "[3 bytes that are no text]"
