"""Clients of 1996: no chunks, no `100 Continue`, and the connection ends with the answer."""

import json
from typing import Any

import pytest

from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body
from tests.proxysite.http.raw_client import connected, head


def ask(gateway: GatewayProcess, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    """Head and body of an answer, as they came."""
    request = head(method, path, body, **headers).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with connected(gateway.url) as client:
        client.send(request + body)
        begin, _, rest = client.rest().partition(b"\r\n\r\n")
    return begin.lower(), rest


@pytest.mark.parametrize("kept", [{}, {"connection": "keep-alive"}])
def test_a_stream_is_its_events_and_nothing_else(
    gateway: GatewayProcess, key: str, kept: dict[str, str]
) -> None:
    body = json.dumps(chat_body(stream=True)).encode()
    headers = {"authorization": f"Bearer {key}", **kept}
    begin, rest = ask(gateway, "POST", "/v1/chat/completions", body, **headers)
    assert b" 200 " in begin
    assert b"transfer-encoding" not in begin
    assert b"connection: close" in begin
    assert rest.startswith(b"data: {")
    assert rest.endswith(b"data: [DONE]\n\n")
    assert all(line.startswith(b"data: ") for line in rest.split(b"\n") if line)


def test_an_answer_of_known_length_says_so(gateway: GatewayProcess, key: str) -> None:
    body = json.dumps(chat_body()).encode()
    begin, rest = ask(gateway, "POST", "/v1/chat/completions", body, authorization=f"Bearer {key}")
    assert b"content-length: %d" % len(rest) in begin
    assert json.loads(rest)["choices"]


def test_a_page_and_a_file_come_as_they_are(gateway: GatewayProcess) -> None:
    for path, ends in (("/accounts/login/", b"</html>"), ("/static/theme/admin.css", b"}")):
        begin, rest = ask(gateway, "GET", path)
        assert b" 200 " in begin
        assert b"transfer-encoding" not in begin
        assert rest.rstrip().endswith(ends)


def test_a_head_has_no_body(gateway: GatewayProcess, key: str) -> None:
    begin, rest = ask(gateway, "HEAD", "/v1/models", authorization=f"Bearer {key}")
    assert b" 200 " in begin
    assert rest == b""


def test_nobody_is_told_to_continue(gateway: GatewayProcess, key: str) -> None:
    body = json.dumps(chat_body()).encode()
    headers = {"authorization": f"Bearer {key}", "expect": "100-continue"}
    begin, _ = ask(gateway, "POST", "/v1/chat/completions", body, **headers)
    assert begin.startswith(b"http/1.1 200")
