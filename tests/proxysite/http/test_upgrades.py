"""Offers to speak another protocol: they are not taken up, and nothing is lost by them."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.gateway import GatewayProcess
from tests.needs import program
from tests.openai_api.chats import chat_body
from tests.proxysite.http.raw_client import connected, head

CHAT = json.dumps(chat_body()).encode()
H2C = {
    "connection": "Upgrade, HTTP2-Settings",
    "upgrade": "h2c",
    "http2_settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
}
WEBSOCKET = {
    "connection": "keep-alive, Upgrade",
    "upgrade": "websocket",
    "sec_websocket_version": "13",
    "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize("offer", [H2C, {"connection": "upgrade", "upgrade": "TLS/1.0, h2c"}])
@pytest.mark.parametrize("cut_at", [None, -len(CHAT), -len(CHAT) + 9, 300])
def test_a_request_that_offers_another_protocol_is_answered_whole(
    gateway: GatewayProcess, key: str, offer: dict[str, str], cut_at: int | None
) -> None:
    headers = {**offer, "authorization": f"Bearer {key}"}
    request = head("POST", "/v1/chat/completions", CHAT, **headers) + CHAT
    with connected(gateway.url) as client:
        for _ in range(3):  # the connection stays usable
            if cut_at is not None:
                client.send(request[:cut_at])
                client.send(request[cut_at:])
            else:
                client.send(request)
            response = client.response()
            assert response.status == 200, response
            assert json.loads(response.body)["choices"]


def test_a_chunked_body_behind_an_offer_is_read(gateway: GatewayProcess, key: str) -> None:
    headers = {**H2C, "authorization": f"Bearer {key}", "transfer_encoding": "chunked"}
    begin = head("POST", "/v1/chat/completions", b"", **headers).replace(
        b"content-length: 0\r\n", b""
    )
    with connected(gateway.url) as client:
        client.send(begin + b"%x\r\n%b\r\n0\r\n\r\n" % (len(CHAT), CHAT))
        assert client.response().status == 200


def test_requests_behind_each_other_may_all_offer(gateway: GatewayProcess, key: str) -> None:
    headers = {**H2C, "authorization": f"Bearer {key}"}
    names = [f"nothing-{n}" for n in range(8)]
    with connected(gateway.url) as client:
        client.send(b"".join(head("GET", f"/v1/models/{name}", **headers) for name in names))
        for name in names:
            assert name.encode() in client.response().body


def test_a_page_is_served_to_who_offers(gateway: GatewayProcess) -> None:
    with connected(gateway.url) as client:
        for offer in (H2C, WEBSOCKET):
            client.request("GET", "/accounts/login/", **offer)
            assert client.response().status == 200


def test_what_else_connection_says_still_holds(gateway: GatewayProcess) -> None:
    with connected(gateway.url) as client:
        client.request("GET", "/healthz", connection="close, Upgrade", upgrade="h2c")
        response = client.response()
        assert (response.status, response.headers["connection"]) == (200, "close")
        assert client.rest() == b""
    with connected(gateway.url) as client:
        request = head("GET", "/healthz", connection="Upgrade", upgrade="h2c")
        client.send(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert client.response().status == 200
        assert client.rest() == b""


@pytest.mark.parametrize(
    "path", ["/v1/responses", "/v1/realtime", "/v1/chat/completions", "/responses", "/v1/models"]
)
@pytest.mark.parametrize("with_key", [True, False])
def test_a_websocket_is_refused_in_the_way_that_clients_go_on_over_http(
    gateway: GatewayProcess, key: str, path: str, with_key: bool
) -> None:
    headers = {**WEBSOCKET, **({"authorization": f"Bearer {key}"} if with_key else {})}
    with connected(gateway.url) as client:
        client.request("GET", path, **headers)
        response = client.response()
        assert response.status == 426
        assert response.error["code"] == "websocket_not_supported"
        assert response.headers["upgrade"] == "HTTP/1.1"
        # And they do, on the same connection.
        headers = {"authorization": f"Bearer {key}"}
        client.request("POST", "/v1/chat/completions", CHAT, **headers)
        assert client.response().status == 200


def test_anthropics_dialect_refuses_a_websocket_in_its_words(gateway: GatewayProcess) -> None:
    with connected(gateway.url) as client:
        client.request("GET", "/v1/messages", **WEBSOCKET)
        response = client.response()
        assert response.status == 426
        assert json.loads(response.body)["type"] == "error"


def test_a_plain_get_is_still_405(gateway: GatewayProcess, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    with connected(gateway.url) as client:
        for more in ({}, H2C, {"upgrade": "websocket"}):  # the last one offers nothing
            client.request("GET", "/v1/responses", **headers, **more)
            assert client.response().status == 405


def test_a_post_is_answered_whatever_it_offers(gateway: GatewayProcess, key: str) -> None:
    headers = {**WEBSOCKET, "authorization": f"Bearer {key}"}
    with connected(gateway.url) as client:
        client.request("POST", "/v1/chat/completions", CHAT, **headers)
        assert client.response().status == 200


def test_the_log_asks_for_nothing(gateway: GatewayProcess) -> None:
    before = len(gateway.log)
    with connected(gateway.url) as client:
        for offer in (H2C, WEBSOCKET):
            client.request("GET", "/v1/models", **offer)
            client.response()
    gateway.wait_until(lambda: gateway.log.count("\n", before) >= 2, "two lines")
    assert "WARNING" not in gateway.log[before:]
    assert "pip install" not in gateway.log[before:]


# --- Clients that offer by themselves ---------------------------------------------------------

JAVA = """
import java.net.URI;
import java.net.http.*;

public class Ask {
    public static void main(String[] words) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int n = 0; n < 3; n++) {
            URI uri = URI.create(words[0] + "/v1/chat/completions");
            HttpRequest request = HttpRequest.newBuilder(uri)
                .header("authorization", "Bearer " + words[1])
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(words[2]))
                .build();
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version());
        }
    }
}
"""


def test_javas_client_can_use_the_gateway(
    gateway: GatewayProcess, key: str, tmp_path: Path
) -> None:
    java = program("java")
    (tmp_path / "Ask.java").write_text(JAVA)
    words = [java, str(tmp_path / "Ask.java"), gateway.url, key, CHAT.decode()]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert result.stdout.split("\n") == ["200 HTTP_1_1"] * 3 + [""], result.stderr


def test_curl_can_use_the_gateway_when_told_to_speak_http_2(
    gateway: GatewayProcess, key: str
) -> None:
    words = [program("curl"), "--http2", "-sS", "-w", "\n%{http_code} %{http_version}"]
    words += [f"{gateway.url}/v1/chat/completions", "-H", f"Authorization: Bearer {key}"]
    words += ["-d", CHAT.decode()]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert result.stdout.endswith("\n200 1.1"), result.stdout + result.stderr


@pytest.mark.parametrize(
    ("begins", "code", "says"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500, "speaks_tls", b"is TLS"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "speaks_http2", b"speak HTTP/1.1"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "speaks_proxy_protocol", b"turn that off"),
        (
            b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x7f" * 12,
            "speaks_proxy_protocol",
            b"turn that off",
        ),
        (b"SSH-2.0-x\r\n", "invalid_http", b"cannot be read as HTTP/1.1"),
    ],
    ids=["TLS", "HTTP/2", "PROXY 1", "PROXY 2", "another"],
)
def test_a_proxy_that_speaks_another_protocol_is_told_in_the_log(
    gateway: GatewayProcess, begins: bytes, code: str, says: bytes
) -> None:
    before = len(gateway.log)
    with connected(gateway.url) as client:
        client.send(begins)
        response = client.response()
    assert response.status == 400 and says in response.body
    gateway.wait_until(lambda: f" note={code}" in gateway.log[before:], "the line of the log")
