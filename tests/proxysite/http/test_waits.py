"""Whoever sends nothing, or takes nothing, holds nothing."""

import json
import threading

import httpx
import pytest

from tests.gateway import GatewayProcess
from tests.openai_api.chats import VLLM, chat_body, new_id
from tests.proxysite.http.raw_client import RawClient, connected, head
from workers_ai.simulator.serve import RunningSimulator

MULTIPART = "multipart/form-data; boundary=b"
JSON = "application/json"


def begun_body(path: str, key: str = "", media_type: str = JSON, **headers: str) -> bytes:
    """A request of which nine bytes of two hundred are there."""
    headers |= {"authorization": f"Bearer {key}", "content_type": media_type}
    return head("POST", path, b"x" * 200, **headers) + b'{"model":'


def test_half_a_head_is_408(hasty_gateway: GatewayProcess) -> None:
    with connected(hasty_gateway.url) as client:
        client.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n")
        response = client.response()
        assert response.status == 408
        assert response.error["code"] == "request_timeout"
        assert client.rest() == b""


def test_a_head_that_comes_byte_by_byte_is_408_all_the_same(hasty_gateway: GatewayProcess) -> None:
    with connected(hasty_gateway.url) as client:
        client.send(b"GET /v1/models HTTP/1.1\r\nx: ")
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.1):
                if not client.send_while_taken(b"a", 1):
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert client.response().status == 408
        finally:
            over.set()
            dripping.join()


def test_a_connection_without_a_request_is_closed(hasty_gateway: GatewayProcess) -> None:
    with connected(hasty_gateway.url) as silent, connected(hasty_gateway.url) as idle:
        idle.request("GET", "/healthz")
        assert idle.response().status == 200
        assert silent.rest() == b""
        assert idle.rest() == b""


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/v1/chat/completions", JSON),
        ("/v1/responses", JSON),
        ("/v1/embeddings", JSON),
        ("/v1/images/edits", MULTIPART),
        ("/v1/audio/transcriptions", MULTIPART),
    ],
)
def test_a_body_that_does_not_go_on_is_408_and_its_slot_free(
    hasty_gateway: GatewayProcess, path: str, media_type: str
) -> None:
    key = hasty_gateway.issue_key(concurrency=1)
    request_id = new_id()
    with connected(hasty_gateway.url) as client:
        client.send(begun_body(path, key, media_type, x_request_id=request_id))
        response = client.response()
        assert response.status == 408
        assert response.error["code"] == "request_timeout"
        assert response.headers["x-request-id"] == request_id
        assert client.rest() == b""
    row = hasty_gateway.row(request_id)
    assert (row.status, row.error_code, row.cost_nano_usd) == (408, "request_timeout", 0)
    answer = httpx.post(
        f"{hasty_gateway.url}/v1/chat/completions",
        json=chat_body(),
        headers={"authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/", "/nowhere"])
def test_a_pages_body_that_does_not_go_on_is_408(hasty_gateway: GatewayProcess, path: str) -> None:
    with connected(hasty_gateway.url) as client:
        client.send(begun_body(path, media_type="application/x-www-form-urlencoded"))
        response = client.response()
        assert response.status == 408
        assert response.headers["x-request-id"]
        assert client.rest() == b""
    assert "Exception in ASGI application" not in hasty_gateway.log


def test_a_body_that_nobody_reads_holds_no_connection(hasty_gateway: GatewayProcess) -> None:
    with connected(hasty_gateway.url) as client:
        client.send(begun_body("/v1/chat/completions", "sk-wai-unknown"))
        assert client.response().status == 401
        hasty_gateway.wait_until(lambda: client.send_while_taken(b"", 1) == 1, "nothing")


def endless_chat(key: str, request_id: str) -> bytes:
    body = json.dumps(chat_body("Count to 900000", VLLM, max_tokens=100_000, stream=True)).encode()
    headers = {"authorization": f"Bearer {key}", "x_request_id": request_id}
    return head("POST", "/v1/chat/completions", body, **headers) + body


def test_who_takes_nothing_of_a_stream_is_disconnected(
    hasty_gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    key = hasty_gateway.issue_key(concurrency=1)
    request_id = new_id()
    with connected(hasty_gateway.url, receive_buffer=4096) as client:
        client.send(endless_chat(key, request_id))
        row = hasty_gateway.row(request_id)
        assert (row.end_reason, row.usage_source) == ("client_gone", "partial")
        assert row.completion_tokens
    answer = httpx.post(
        f"{hasty_gateway.url}/v1/chat/completions",
        json=chat_body(),
        headers={"authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_as_soon_as_a_request_is_sent_is_gone(
    gateway: GatewayProcess, upstream: RunningSimulator, stream: bool
) -> None:
    upstream.set_scenario("hang")
    key, request_id = gateway.issue_key(), new_id()
    body = json.dumps(chat_body("Hi", VLLM, stream=stream)).encode()
    headers = {"authorization": f"Bearer {key}", "x_request_id": request_id}
    client = RawClient(gateway.url)
    client.send(head("POST", "/v1/chat/completions", body, **headers) + body)
    client.close()
    assert gateway.row(request_id).end_reason == "client_gone"


def test_who_leaves_is_gone_although_another_request_waits_behind(gateway: GatewayProcess) -> None:
    key = gateway.issue_key()
    request_id = new_id()
    client = RawClient(gateway.url)
    client.send(endless_chat(key, request_id))
    assert b" 200 " in client.receive()
    client.send(head("GET", "/healthz"))
    client.close()
    assert gateway.row(request_id).end_reason == "client_gone"


def test_who_takes_nothing_of_a_whole_answer_is_disconnected(hasty_gateway: GatewayProcess) -> None:
    """Of many megabytes, more than any buffer between here and there holds."""
    body = json.dumps({"model": "@cf/baai/bge-m3", "input": ["a"] * 1000}).encode()
    with connected(hasty_gateway.url, receive_buffer=4096) as client:
        key = hasty_gateway.issue_key()
        client.request("POST", "/v1/embeddings", body, authorization=f"Bearer {key}")
        assert b" 200 " in client.receive(64)
        hasty_gateway.wait_until(client.is_reset, "the connection is cut")
