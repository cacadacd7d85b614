"""What strangers can make the log say: short lines, without what opens anything."""

import re
import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.gateway import GatewayProcess
from tests.proxysite.http.raw_client import connected, head

LONG = "x" * 15_000


def lines_about(gateway: GatewayProcess, cause: Callable[[str], None], count: int) -> list[str]:
    """What the log has of requests that `cause` sends, each with the mark that it is given."""
    mark = f"mark{uuid.uuid4().hex}"
    before = len(gateway.log)
    cause(mark)

    def found() -> list[str] | None:
        lines = gateway.log[before:].splitlines()
        return lines if sum(mark in line for line in lines) >= count else None

    lines: list[str] = gateway.wait_until(found, f"{count} lines with {mark}")
    return lines


def test_a_host_that_is_not_ours_is_one_short_warning(gateway: GatewayProcess) -> None:
    def ask(mark: str) -> None:
        with connected(gateway.url) as client:
            for host in (f"{mark}.example.com", f"{mark}{LONG}", f"{mark} {LONG}"):
                client.send(f"GET /accounts/login/ HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
                assert client.response().status == 400

    lines = lines_about(gateway, ask, 3)
    about = [line for line in lines if "django.security" in line]
    assert len(about) == 3
    assert all(" WARNING django.security.DisallowedHost: " in line for line in about)
    assert not any("Traceback" in line or line.startswith(" ") for line in lines)
    assert max(map(len, lines)) < 5000


def test_other_requests_that_django_finds_suspicious_are_no_errors_either(
    gateway: GatewayProcess,
) -> None:
    """More fields than Django takes, before anybody has signed in."""
    form = "&".join(f"f{n}=" for n in range(2000))
    before = len(gateway.log)
    with httpx.Client(base_url=gateway.url, timeout=30) as browser:
        browser.get("/accounts/login/")
        headers = {"content-type": "application/x-www-form-urlencoded"}
        response = browser.post("/accounts/login/", content=form, headers=headers)
    assert response.status_code == 400
    gateway.wait_until(lambda: "TooManyFieldsSent" in gateway.log[before:], "a line")
    told = gateway.log[before:]
    assert "WARNING django.security.TooManyFieldsSent" in told
    assert "Traceback" not in told
    assert " ERROR " not in told


@pytest.mark.parametrize("path", ["/v1/", "/", "/admin/", "/static/"])
def test_a_long_path_is_cut(gateway: GatewayProcess, path: str) -> None:
    def ask(mark: str) -> None:
        assert httpx.get(f"{gateway.url}{path}{mark}{LONG}").status_code in (302, 404)

    for line in lines_about(gateway, ask, 1):
        assert len(line) < 1000, line
        assert "characters)" in line or LONG[:100] not in line


@pytest.mark.parametrize(
    "secret",
    [
        "sk-wai-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMn",
        "sk-wai-service-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        "play-wai-7.3.1795725126.AbCdEfGhIjKlMnOpQrStUv.AbCdEfGhIjKlMnOpQrStUvWxYz-_0123456789",
        "cfut_abcdefgh12345678",
    ],
)
@pytest.mark.parametrize("path", ["/v1/models/", "/", "/keys/"])
def test_a_secret_in_a_path_is_hidden(gateway: GatewayProcess, path: str, secret: str) -> None:
    def ask(mark: str) -> None:
        with connected(gateway.url) as client:
            client.send(head("GET", f"{path}{mark}/{secret}/x"))
            client.response()

    lines = lines_about(gateway, ask, 1)
    assert any("[hidden]" in line for line in lines)
    longest = max(re.split(r"[-.]", secret), key=len)
    assert not any(longest in line for line in lines)


@pytest.mark.parametrize(
    ("sent", "note"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", "note=speaks_tls"),
        (b"\x00\x01\x02\r\n\r\n", "note=invalid_http"),
    ],
)
def test_what_is_no_http_is_one_line(gateway: GatewayProcess, sent: bytes, note: str) -> None:
    before = len(gateway.log)
    with connected(gateway.url) as client:
        client.send(sent)
        assert client.response().status == 400
    gateway.wait_until(lambda: note in gateway.log[before:], "a line")
    told = [line for line in gateway.log[before:].splitlines() if note in line]
    assert len(told) == 1
    assert " INFO gateway.access: GET - 400 " in told[0]
    assert "client_ip=127.0.0.1" in told[0]
