"""Pictures named by URL: fetched from public addresses, and from nowhere else."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import override_settings

from openai_api.chat_completions import request
from openai_api.chat_completions.pictures import inline_pictures
from openai_api.errors import BadRequest
from proxysite.settings import networks

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Pictures(BaseHTTPRequestHandler):
    """A web server of somebody's, with pictures and traps."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        port = self.server.server_address[1]
        places = {"/to-picture": f"http://localhost:{port}/picture", "/loop": "/loop"}
        if self.path in places:
            self.send_response(302)
            self.send_header("location", places[self.path])
            self.end_headers()
            return
        bodies = {"/picture": PNG, "/page": b"<html>", "/large": PNG + b"x" * 5000}
        body = bodies.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: Any) -> None:
        return None


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as http:
        http.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield http
        http.shutdown()
        thread.join()


def asking(url: str) -> request.ChatRequest:
    part = {"type": "image_url", "image_url": {"url": url}}
    return request.read({"model": "m", "messages": [{"role": "user", "content": [part]}]})


async def fetched(url: str) -> str:
    asked = asking(url)
    await inline_pictures(asked)
    return str(asked.messages[0]["content"][0]["image_url"]["url"])


def here(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings under which this machine counts as public."""
    monkeypatch.setenv("TEST_NETWORKS", "127.0.0.0/8, ::1/128")
    return override_settings(IMAGE_FETCH_ALLOWED_NETWORKS=networks("TEST_NETWORKS"))


def at(server: ThreadingHTTPServer, path: str, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.server_address[1]}{path}"


@pytest.mark.parametrize("path", ["/picture", "/to-picture"])
async def test_a_picture_comes_as_a_data_url(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with here(monkeypatch):
        url = await fetched(at(server, path))
    assert url == "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "①②⑦.0.0.1",
        "user:secret@127.0.0.1",
    ],
)
async def test_this_machine_is_never_asked(server: ThreadingHTTPServer, host: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await fetched(at(server, "/picture", host))
    assert refused.value.param == "messages[0].content[0].image_url.url"
    assert "not public" in refused.value.message or "reached" in refused.value.message
    assert not server.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x.png",
        "http://192.168.1.1/x.png",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00::1]/x.png",
        "http://[fe80::1%25eth0]/x.png",
        "http://224.0.0.1/x.png",
        "http://[2002:7f00:1::]/x.png",
        "http:///x.png",
        "http://",
    ],
)
async def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await fetched(url)
    assert refused.value.code == "invalid_image_url"


async def test_a_redirect_to_a_private_address_is_not_followed(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_NETWORKS", "127.0.0.2/32")
    with (
        override_settings(IMAGE_FETCH_ALLOWED_NETWORKS=networks("TEST_NETWORKS")),
        ThreadingHTTPServer(("127.0.0.2", 0), Pictures) as public,
    ):
        public.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=public.serve_forever, args=(0.01,))
        thread.start()
        try:
            with pytest.raises(BadRequest, match="not public"):
                await fetched(at(public, "/to-picture", "127.0.0.2"))
            assert public.asked == ["/to-picture"]  # type: ignore[attr-defined]
        finally:
            public.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/page", "not a PNG"),
        ("/missing", "status 404"),
        ("/loop", "redirects"),
        ("/large", "larger than"),
    ],
)
async def test_what_is_no_usable_picture_is_named(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, path: str, why: str
) -> None:
    with (
        here(monkeypatch),
        override_settings(IMAGE_FETCH_MAX_BYTES=2000),
        pytest.raises(BadRequest, match=why),
    ):
        await fetched(at(server, path))


async def test_data_urls_and_texts_are_left_alone() -> None:
    url = "data:image/png;base64,AAAA"
    assert await fetched(url) == url
