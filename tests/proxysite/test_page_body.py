"""Nobody fills memory or disk by sending much to a page."""

from pathlib import Path
from typing import Any

import pytest

from proxysite import page_body
from proxysite.page_body import PageBodies, TooManyBodies
from tests.gateway import GatewayProcess
from tests.proxysite.http.raw_client import connected

MEBIBYTE = b"a" * 1024 * 1024
PAGES = ["/", "/accounts/login/", "/admin/login/", "/nowhere", "/static/theme/admin.css"]
FORM = "content-type: application/x-www-form-urlencoded\r\n"


def files_without_a_name(gateway: GatewayProcess) -> set[str]:
    """What the worker has open and nobody else can see: Django's files for bodies are such."""
    found = set()
    for link in Path(f"/proc/{gateway.worker_pids[0]}/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:
            continue
    # Gunicorn's own, and the memory in which workers agree on who tells an outage.
    known = ("gunicorn", "memfd:gateway-outage")
    return {name for name in found if "(deleted)" in name and not any(k in name for k in known)}


@pytest.mark.parametrize("path", PAGES)
def test_a_body_of_a_terabyte_is_refused_before_it_is_read(
    gateway: GatewayProcess, path: str
) -> None:
    with connected(gateway.url) as client:
        length = f"content-length: {10**12}\r\n"
        client.send(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{FORM}{length}\r\n".encode())
        response = client.response()
        assert response.status == 413
        assert b"2621440 bytes" in response.body
        assert response.headers["x-request-id"]


@pytest.mark.parametrize("path", PAGES)
def test_a_body_without_a_length_is_read_to_the_bound(gateway: GatewayProcess, path: str) -> None:
    chunk = b"%x\r\n%b\r\n" % (len(MEBIBYTE), MEBIBYTE)
    with connected(gateway.url) as client:
        chunked = "transfer-encoding: chunked\r\n"
        client.send(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{FORM}{chunked}\r\n".encode())
        client.send_while_taken(chunk, 2)
        assert files_without_a_name(gateway) == set()
        client.send_while_taken(chunk, 20)
        assert client.response().status == 413
        assert files_without_a_name(gateway) == set()


def test_a_large_form_is_taken(gateway: GatewayProcess) -> None:
    body = b"next=" + b"a" * 2_000_000
    with connected(gateway.url) as client:
        client.request("POST", "/accounts/login/", body, content_type=FORM[14:-2])
        assert client.response().status == 403  # for want of a token, which Django looks for in it


async def test_all_bodies_together_are_bounded_and_small_ones_get_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_body, "MOST_HELD_BYTES", 1_000_000)
    bodies = PageBodies()

    def sender(size: int) -> Any:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"a" * size, "more_body": True}

        return receive

    scope: dict[str, Any] = {"headers": []}
    with bodies.reading(scope, sender(900_000)) as first:
        await first()
        with bodies.reading(scope, sender(60_000)) as small:
            await small()
        with bodies.reading(scope, sender(500_000)) as second, pytest.raises(TooManyBodies):
            await second()
            # One that has no room gives back what it had.
    with bodies.reading(scope, sender(900_000)) as third:
        await third()
