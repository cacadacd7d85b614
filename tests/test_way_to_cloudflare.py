"""A gateway whose upstream has a certificate of a private authority and is behind a proxy: what
clients, the log and `refresh_catalog` say while something is wrong, and that it works then. And
that its connections are for every key.
"""

import asyncio
import json
import select
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess
from tests.workers_ai.http.certificates import Authority
from tests.workers_ai.http.proxies import RunningProxy, pass_on, proxy_answering
from tests.workers_ai.raw_server import listening
from workers_ai.simulator.serve import RunningSimulator

STALL = "[simulate stall after=2]"
USER = "gateway:never-to-be-seen@"
CHAT = {
    "model": "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    "messages": [{"role": "user", "content": "Hi"}],
}


@asynccontextmanager
async def tls_before(upstream: RunningSimulator, tls: ssl.SSLContext) -> AsyncIterator[int]:
    address = httpx.URL(upstream.base_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await pass_on(reader, writer, address.host, address.port or 80, b"")

    async with listening(serve, tls) as port:
        yield port


class Way:
    """The authority, the simulator with TLS, and the proxy before it, on a thread of their own."""

    def __init__(self, folder: Path, upstream: RunningSimulator) -> None:
        self.authority = Authority(folder)
        self.base_url = ""
        self.proxy = RunningProxy()
        self._upstream = upstream
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()])

    def __enter__(self) -> "Way":
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        tls = self.authority.server("localhost")
        async with tls_before(self._upstream, tls) as port, proxy_answering() as self.proxy:
            self.base_url = f"https://localhost:{port}{httpx.URL(self._upstream.base_url).path}"
            self._ready.set()
            await self._end.wait()


@pytest.fixture
def way(tmp_path: Path, upstream: RunningSimulator) -> Iterator[Way]:
    with Way(tmp_path, upstream) as way:
        yield way


def chat(gateway: GatewayProcess, key: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(gateway.url + "/v1/chat/completions", json=CHAT, headers=headers, timeout=60)


@pytest.mark.parametrize("variable", ["UPSTREAM_PROXY", "HTTPS_PROXY"])
def test_a_proxy_and_an_authority_of_ones_own(
    way: Way, start_gateway: Callable[..., GatewayProcess], variable: str
) -> None:
    gateway = start_gateway(
        CLOUDFLARE_API_BASE_URL=way.base_url,
        SSL_CERT_FILE=str(way.authority.file),
        NO_PROXY="",
        no_proxy="",
        UPSTREAM_RETRIES="0",
        **{variable: way.proxy.url(USER)},
    )
    key = gateway.issue_key()

    assert chat(gateway, key).status_code == 200
    assert "models listed" in gateway.manage("refresh_catalog").stdout
    assert len(way.proxy.heads) >= 2
    way.proxy.answer = b"HTTP/1.1 407 Who are you\r\n\r\n"
    command = gateway.manage("refresh_catalog", check=False)
    assert "refuses the user and password" in command.stderr
    assert "never-to-be-seen" not in gateway.log + command.stderr + command.stdout


def test_what_is_wrong_is_told_to_the_operator_alone(
    way: Way, start_gateway: Callable[..., GatewayProcess]
) -> None:
    way.proxy.answer = b"HTTP/1.1 403 Not for you\r\n\r\n"
    gateway = start_gateway(
        CLOUDFLARE_API_BASE_URL=way.base_url,
        UPSTREAM_PROXY=way.proxy.url(USER),
        UPSTREAM_RETRIES="0",
    )
    key = gateway.issue_key()
    causes: list[tuple[str, dict[str, Any]]] = [
        ("does not let this gateway reach localhost", {}),
        ("the certificate of localhost is not trusted", {"UPSTREAM_PROXY": ""}),
        ("refuses the connection", {"UPSTREAM_PROXY": f"http://127.0.0.1:{unused_port()}"}),
    ]
    answer = chat(gateway, key)
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "Workers AI could not be reached."
    gateway.wait_until(lambda: causes[0][0] in gateway.log, "the log has the proxy's refusal")
    for cause, settings in causes:
        gateway.environment.update(settings)
        command = gateway.manage("refresh_catalog", check=False)
        assert command.returncode == 1
        assert cause in command.stderr, command.stderr
        assert "never-to-be-seen" not in gateway.log + command.stderr + command.stdout


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_key_whose_streams_never_end_leaves_connections_to_others(
    start_gateway: Callable[..., GatewayProcess],
) -> None:
    gateway = start_gateway(UPSTREAM_MAX_CONNECTIONS="6", UPSTREAM_POOL_TIMEOUT="60")
    greedy, modest = gateway.issue_key("greedy"), gateway.issue_key("modest")
    stalling = {**CHAT, "stream": True, "messages": [{"role": "user", "content": STALL}]}
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {greedy}\r\n"
    body = json.dumps(stalling).encode()
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), 60))
            for _ in range(8)
        ]
        for one in held:
            one.sendall(request)
        # As many as it gets have begun; the others wait.
        begun, _, _ = select.select(held, [], [], 60)
        assert begun
        for _ in range(6):
            assert chat(gateway, modest).status_code == 200
