"""Pictures of which most stays in the bytes of the request: upstream gets all of them, in every
dialect and however often it is asked."""

import base64
from typing import Any

import httpx
import pytest

from keys.models import CapturedText
from openai_api.wire.left_in_body import LEAST_BYTES
from tests.contract.pictures import data_url, png
from tests.gateway import GatewayProcess
from tests.openai_api.chats import new_id
from workers_ai.simulator import recording
from workers_ai.simulator.serve import RunningSimulator

VISION = "@cf/moonshotai/kimi-k2.6"
# More bytes behind a picture's end are still that picture.
PICTURE = png() + bytes(3 * LEAST_BYTES)
OTHER = png(colour="blue") + bytes(4 * LEAST_BYTES)
CHAT, RESPONSES, MESSAGES = "/chat/completions", "/responses", "/messages"


@pytest.fixture(autouse=True)
def whole_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator records them, however long."""
    monkeypatch.setattr(recording, "MAX_BODY_BYTES", 10_000_000)


def chat(*pictures: bytes, **fields: Any) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": data_url(one)}} for one in pictures]
    words = {"type": "text", "text": "What is it?"}
    return {"model": VISION, "messages": [{"role": "user", "content": [words, *parts]}], **fields}


def responses(*pictures: bytes) -> dict[str, Any]:
    parts = [{"type": "input_image", "image_url": data_url(one)} for one in pictures]
    return {"model": VISION, "input": [{"role": "user", "content": parts}], "store": False}


def messages(*pictures: bytes) -> dict[str, Any]:
    blocks = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": base64.b64encode(one).decode(),
            },
        }
        for one in pictures
    ]
    return {
        "model": VISION,
        "max_tokens": 20,
        "messages": [{"role": "user", "content": blocks}],
    }


def in_a_result(*pictures: bytes) -> dict[str, Any]:
    body = messages(*pictures)
    use = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": body["messages"][0]["content"]}
    body["messages"] = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    body["tools"] = [{"name": "look", "input_schema": {"type": "object"}}]
    return body


def shown(upstream: RunningSimulator, number: int = -1) -> list[str]:
    """The pictures of a request that upstream got."""
    return [
        part["image_url"]["url"]
        for message in upstream.requests[number].body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "make"),
    [(CHAT, chat), (RESPONSES, responses), (MESSAGES, messages), (MESSAGES, in_a_result)],
)
def test_upstream_gets_every_byte(
    client: httpx.Client, upstream: RunningSimulator, path: str, make: Any, stream: bool
) -> None:
    response = client.post(path, json={**make(PICTURE, OTHER), "stream": stream})
    assert response.status_code == 200, response.text
    assert shown(upstream) == [data_url(PICTURE), data_url(OTHER)]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_second_try_sends_it_again(
    client: httpx.Client, upstream: RunningSimulator, path: str
) -> None:
    upstream.set_scenario("error-3040", times=1)
    body = chat(PICTURE) if path == CHAT else messages(PICTURE)
    assert client.post(path, json=body).status_code == 200
    assert [shown(upstream, number) for number in (0, 1)] == [[data_url(PICTURE)]] * 2


def test_pictures_that_a_repair_moves_are_sent_whole(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    refusal = "System role not supported"
    upstream.set_scenario("error", status=400, code=8001, message=refusal, times=1)
    body = chat(PICTURE)
    body["messages"].append({**chat(OTHER)["messages"][0], "role": "system"})
    response = client.post(CHAT, json=body)
    assert response.status_code == 200, response.text
    assert shown(upstream) == [data_url(OTHER), data_url(PICTURE)]


def test_turns_of_a_conversation_share_their_affinity(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    for picture in (PICTURE, PICTURE, OTHER):
        assert client.post(CHAT, json=chat(picture)).status_code == 200
    first, second, third = (one.headers["x-session-affinity"] for one in upstream.requests)
    assert first == second != third


def test_a_picture_of_another_kind_is_refused_as_a_short_one(client: httpx.Client) -> None:
    body = chat(PICTURE)
    url = data_url(PICTURE).replace("image/png", "image/tiff")
    body["messages"][0]["content"][1]["image_url"]["url"] = url
    response = client.post(CHAT, json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "unsupported_image")


def test_a_text_as_long_as_a_picture_is_counted(client: httpx.Client) -> None:
    # As long as no window is: a text is no picture, whatever it looks like.
    text = [{"role": "user", "content": data_url(bytes(6_000_000))}]
    response = client.post(CHAT, json={"model": VISION, "messages": text})
    assert response.json()["error"]["code"] == "context_length_exceeded"


def test_a_key_that_keeps_texts_keeps_the_kind_and_size_of_a_picture(
    gateway: GatewayProcess,
) -> None:
    headers = {
        "authorization": f"Bearer {gateway.issue_key(capture_text=True)}",
        "x-request-id": new_id(),
    }
    asked = httpx.post(f"{gateway.url}/v1{CHAT}", json=chat(PICTURE), headers=headers, timeout=30)
    assert asked.status_code == 200
    row = gateway.row(headers["x-request-id"])
    kept = gateway.database(lambda: CapturedText.objects.get(request_id=row.request_id))
    assert f"[image/png, {len(PICTURE):,} bytes]" in kept.asked
