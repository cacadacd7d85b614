"""What a stranger may send before anybody has looked at a key: a bound on each part of it."""

import json
import threading
import time

import httpx
import pytest

from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body
from tests.proxysite.http.raw_client import RawClient, RawResponse, connected, head

MEBIBYTE = b"a" * 1024 * 1024


def answer_to(
    gateway: GatewayProcess, begin: bytes, piece: bytes = b"", most: int = 0
) -> RawResponse:
    """What the gateway answers to `begin` and to as much of the pieces as it reads."""
    with connected(gateway.url) as client:
        client.send(begin)
        client.send_while_taken(piece, most)
        response = client.response()
        assert response.headers["connection"] == "close"
        assert client.rest() == b""
        return response


@pytest.mark.parametrize(
    ("begin", "piece", "most"),
    [
        pytest.param(b"x: ", MEBIBYTE, 100, id="one header without an end"),
        pytest.param(b"", b"a: " + b"b" * 1000 + b"\r\n", 10_000, id="one name again and again"),
        pytest.param(b"", b"a: b\r\n" * 1000, 100, id="many small headers"),
        pytest.param(b"a: b\r\n" * 300 + b"\r\n", b"", 0, id="too many in a small head"),
        pytest.param(
            b"cookie: " + b"c" * 70_000 + b"\r\n\r\n", b"", 0, id="a whole head, too large"
        ),
        pytest.param(MEBIBYTE, MEBIBYTE, 20, id="a name without an end"),
    ],
)
def test_a_head_is_bounded(gateway: GatewayProcess, begin: bytes, piece: bytes, most: int) -> None:
    request = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n"
    response = answer_to(gateway, request + begin, piece, most)
    assert response.status == 431
    assert response.error["code"] == "headers_too_large"
    page = answer_to(gateway, request.replace(b"/v1/models", b"/admin/") + begin, piece, most)
    assert page.status == 431
    assert page.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", [b"/v1/models?", b"/v1/", b"/models/@cf/"])
def test_a_url_is_bounded(gateway: GatewayProcess, path: bytes) -> None:
    response = answer_to(gateway, b"GET " + path, MEBIBYTE, 20)
    assert response.status == 414
    assert response.error["code"] == "url_too_long"


def test_each_dialect_says_it_in_its_own_words(gateway: GatewayProcess) -> None:
    request = b"POST /v1/messages HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n"
    with connected(gateway.url) as client:
        client.send(request)
        response = client.response()
    assert response.status == 431
    assert b'"type":"error"' in response.body


def test_a_large_head_is_taken_whole(gateway: GatewayProcess, key: str) -> None:
    headers = {f"x-{n}": "v" * 600 for n in range(90)}
    url = f"{gateway.url}/v1/models?{'q' * 16_000}"
    response = httpx.get(url, headers={**headers, "authorization": f"Bearer {key}"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"1\r\n{\r\n0\r\n" + b"a: b\r\n" * 50_000, id="trailers"),
        pytest.param(b"1\r\n{\r\n0\r\na: " + MEBIBYTE, id="one trailer"),
        pytest.param(b"1;" + MEBIBYTE, id="an extension of a chunk"),
        pytest.param(b"0" * 500_000, id="nothing"),
        pytest.param(b"1\r\nx\r\n" * 100_000, id="chunks of a byte"),
    ],
)
def test_what_stands_around_a_body_is_bounded(
    gateway: GatewayProcess, key: str, rest: bytes
) -> None:
    authorization = f"Bearer {key}"
    begin = head("GET", "/v1/chat/completions", authorization=authorization)
    begin = begin.replace(b"GET", b"POST").replace(
        b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    response = answer_to(gateway, begin + rest)
    assert response.status in (400, 431)
    assert response.error["type"] == "invalid_request_error"


def test_a_body_in_small_chunks_is_read(gateway: GatewayProcess, key: str) -> None:
    body = json.dumps(chat_body("a" * 100_000)).encode()
    with connected(gateway.url) as client:
        client.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
            b"authorization: Bearer %b\r\n\r\n" % key.encode()
        )
        chunks = [b"4\r\n%b\r\n" % body[n : n + 4] for n in range(0, len(body) - 3, 4)]
        rest = body[len(chunks) * 4 :]
        client.send(b"".join(chunks) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))
        assert client.response().status == 200


def test_a_trailer_is_no_header(gateway: GatewayProcess, key: str) -> None:
    """What a proxy in front has never looked at must not say who asks."""
    with connected(gateway.url) as client:
        client.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\nauthorization: Bearer %b\r\n\r\n" % key.encode()
        )
        assert client.response().status == 401


@pytest.mark.parametrize(
    ("path", "expected"), [("/v1/chat/completions", 401), ("/healthz", 200), ("/v1/nowhere", 404)]
)
def test_a_body_that_nobody_wants_is_not_read_to_its_end(
    gateway: GatewayProcess, path: str, expected: int
) -> None:
    with connected(gateway.url) as client:
        client.send(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {10**12}\r\n\r\n".encode())
        sent = client.send_while_taken(MEBIBYTE, 8)
        assert client.response().status == expected
        # Not a byte more is kept, and the connection is given up in the end.
        assert sent == 8


def test_a_body_that_was_not_wanted_does_not_end_the_connection(
    gateway: GatewayProcess, key: str
) -> None:
    with connected(gateway.url) as client:
        for _ in range(3):
            client.request("POST", "/v1/chat/completions", b"b" * 100_000)
            assert client.response().status == 401
        client.request("GET", "/v1/models", authorization=f"Bearer {key}")
        assert client.response().status == 200


@pytest.mark.parametrize("large", [b"content-length: 2000000", b"transfer-encoding: chunked"])
def test_who_still_sends_a_large_body_is_told_that_the_connection_ends(
    gateway: GatewayProcess, large: bytes
) -> None:
    with connected(gateway.url) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n%b\r\n\r\n" % large)
        response = client.response()
        assert (response.status, response.headers["connection"]) == (401, "close")


@pytest.mark.parametrize("authorized", [True, False])
def test_a_client_goes_on_after_a_large_body_was_refused(
    gateway: GatewayProcess, key: str, authorized: bool
) -> None:
    """Of 40 MB, which is more than a request may have."""
    sent = {"authorization": f"Bearer {key if authorized else 'wrong'}"}
    with httpx.Client(base_url=gateway.url, timeout=60) as client:
        for _ in range(3):
            refused = client.post("/v1/chat/completions", content=MEBIBYTE * 40, headers=sent)
            assert refused.status_code == (413 if authorized else 401)
            assert refused.headers["connection"] == "close"
            assert client.get("/healthz").status_code == 200


def test_requests_that_wait_on_one_connection_are_bounded(gateway: GatewayProcess) -> None:
    with connected(gateway.url) as client:
        client.send(head("GET", "/v1/models") * 1000)
        statuses = []
        while not statuses or statuses[-1] == 401:
            statuses.append(client.response().status)
        assert 5 < len(statuses) < 50
        assert statuses[-1] == 429
        assert client.rest() == b""


def test_requests_on_one_connection_are_answered_in_turn(gateway: GatewayProcess, key: str) -> None:
    with connected(gateway.url) as client:
        authorization = f"Bearer {key}"
        paths = [f"/v1/models/nothing-{n}" for n in range(10)]
        client.send(b"".join(head("GET", path, authorization=authorization) for path in paths))
        for path in paths:
            assert path.rpartition("/")[2].encode() in client.response().body


@pytest.mark.parametrize(
    ("request_bytes", "in_openais_form"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", False),
        (b"GET /v1/models HTTP/1.1\r\nno colon\r\n\r\n", True),
        (b"GET /v1/models HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", True),
        (b"GET http://[ HTTP/1.1\r\n\r\n", False),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", False),
        (b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n", False),
    ],
)
def test_what_is_not_http_is_400(
    gateway: GatewayProcess, request_bytes: bytes, in_openais_form: bool
) -> None:
    response = answer_to(gateway, request_bytes)
    assert response.status == 400
    assert b"cannot be read as HTTP/1.1" in response.body
    if in_openais_form:
        assert response.error["code"] == "invalid_http"


def test_others_are_served_while_heads_flood_in(gateway: GatewayProcess) -> None:
    """Copying each header's values for each one would hold up the worker for half a minute."""
    flood = b"GET /v1/models HTTP/1.1\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * 10_000
    done = threading.Event()

    def send() -> None:
        for _ in range(3):
            client = RawClient(gateway.url)
            client.send_while_taken(flood, 1)
            client.response()
            client.close()
        done.set()

    flooding = threading.Thread(target=send)
    flooding.start()
    longest_s = 0.0
    while not done.is_set():
        began = time.monotonic()
        assert httpx.get(gateway.url + "/healthz", timeout=30).status_code == 200
        longest_s = max(longest_s, time.monotonic() - began)
    flooding.join()
    assert longest_s < 5
