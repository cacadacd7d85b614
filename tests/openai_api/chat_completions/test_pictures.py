"""Pictures named by URL: fetched from public addresses, and from nowhere else."""

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.test import override_settings

from openai_api.chat_completions import picture_fetch, request
from openai_api.chat_completions.attachments import read_of_chat
from openai_api.chat_completions.picture_fetch import LOOK_UPS_AT_ONCE, PictureFetcher
from openai_api.errors import BadRequest, PicturesBusy
from proxysite.setting_readers.network import networks
from tests.gateway import GatewayProcess
from workers_ai.caller import Caller
from workers_ai.http.resolver import Resolver

VISION = "@cf/moonshotai/kimi-k2.6"
IMAGE_URL = {"type": "image_url", "image_url": {"url": "URL"}}

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


def asking(*urls: str) -> request.ChatRequest:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return request.read({"model": "m", "messages": [{"role": "user", "content": parts}]})


def somebody(caller: str = "1") -> Any:
    """What is read of an exchange, and what it holds."""
    return SimpleNamespace(caller=Caller(caller), holds=None)


async def fetched(url: str) -> str:
    asked = asking(url)
    await read_of_chat(somebody(), asked)
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


# --- Bounds -----------------------------------------------------------------------------------


async def test_the_pictures_of_a_request_have_a_sum(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with here(monkeypatch), override_settings(MAX_BODY_BYTES=8_000, IMAGE_FETCH_MAX_BYTES=8_000):
        exchange = somebody()
        monkeypatch.setattr(picture_fetch, "_fetcher", None)
        with pytest.raises(BadRequest, match="with it what is fetched is larger than 8000 bytes"):
            await read_of_chat(exchange, asking(*[at(server, "/large")] * 2))
        exchange.holds.release()
        exchange = somebody()
        assert await read_of_chat(exchange, asking(at(server, "/large")))


async def test_one_caller_cannot_have_all_the_memory_for_pictures(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with here(monkeypatch), override_settings(MAX_BODY_BYTES=8_000, IMAGE_FETCH_MAX_BYTES=8_000):
        monkeypatch.setattr(picture_fetch, "_fetcher", None)
        first, second, other = somebody("greedy"), somebody("greedy"), somebody("other")
        third = somebody("greedy")
        picture = asking(at(server, "/large"))
        await read_of_chat(first, asking(at(server, "/large")))
        await read_of_chat(second, asking(at(server, "/large")))
        with pytest.raises(PicturesBusy):
            await read_of_chat(third, asking(at(server, "/large")))
        third.holds.release()
        assert await read_of_chat(other, picture)
        first.holds.release()
        first.holds.release()
        other.holds.release()
        assert await read_of_chat(third, asking(at(server, "/large")))


async def test_when_one_picture_fails_the_others_are_given_up(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = asyncio.Event()

    async def addresses(self: Resolver, host: str, port: int, *, caller: str = "") -> Any:
        if host != "silent.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            given_up.set()
            raise

    monkeypatch.setattr(Resolver, "addresses", addresses)
    with pytest.raises(BadRequest, match="not public"):
        await read_of_chat(
            somebody(), asking("http://silent.example/a.png", "http://private.example/a.png")
        )
    assert given_up.is_set()


async def test_silent_names_of_one_caller_leave_look_ups_for_others(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when many requests ask for them, and have been given up since."""
    answer, lock, silent = threading.Event(), threading.Lock(), [0]
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if not str(host).endswith("silent.example"):
            return real(host, port, *args, **options)
        with lock:
            silent[0] += 1
        assert answer.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "nobody")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(picture_fetch, "_fetcher", None)
    names = [f"http://h{n}.silent.example/a.png" for n in range(16)]
    try:
        with here(monkeypatch), override_settings(IMAGE_FETCH_TIMEOUT=0.2):
            for _ in range(3):
                with pytest.raises((BadRequest, PicturesBusy)):
                    await read_of_chat(somebody("silent"), asking(*names))
        assert 0 < silent[0] <= LOOK_UPS_AT_ONCE // 2
        with here(monkeypatch):
            localhost = asking(at(server, "/picture", "localhost"))
            assert await read_of_chat(somebody("other"), localhost)
    finally:
        answer.set()


def test_each_loop_has_a_fetcher_of_its_own() -> None:
    async def one() -> PictureFetcher:
        assert picture_fetch.fetcher() is picture_fetch.fetcher()
        return picture_fetch.fetcher()

    assert asyncio.run(one()) is not asyncio.run(one())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": [IMAGE_URL]}]}),
        (
            "messages",
            {
                "max_tokens": 5,
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "url", "url": "URL"}},
                        ],
                    }
                ],
            },
        ),
        (
            "responses",
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "URL"}]}]},
        ),
    ],
)
def test_nothing_is_fetched_for_a_key_without_money(
    gateway: GatewayProcess, server: ThreadingHTTPServer, path: str, body: dict[str, Any]
) -> None:
    """The gateway may not connect to this machine: a fetch would be the 400 of such a URL."""
    url = at(server, "/picture")
    asked = json.loads(json.dumps({"model": VISION, **body}).replace("URL", url))
    for limits, status in (({"total_budget_nano_usd": 1}, 429), ({}, 400)):
        key = gateway.issue_key(**limits)
        response = httpx.post(
            f"{gateway.url}/v1/{path}", json=asked, headers={"authorization": f"Bearer {key}"}
        )
        assert response.status_code == status, response.text
    assert not server.asked  # type: ignore[attr-defined]
