"""Through an HTTP proxy: which one, for which upstream, its tunnel, and what it may refuse."""

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.workers_ai.clients import NO_RETRY, Client, chat
from tests.workers_ai.http.certificates import Authority
from tests.workers_ai.http.pools import FINE, asked, pool_of, whole, writing
from tests.workers_ai.http.proxies import proxy_answering
from tests.workers_ai.raw_server import listening, raw_server
from workers_ai import errors
from workers_ai.client import Account
from workers_ai.http.proxy import MOST_ANSWER_BYTES, Proxy, proxy_for

PASSWORD = "a-password-never-to-be-seen"


async def refusal(proxy: Proxy, url: str = "https://api.example") -> str:
    async with pool_of(url, proxy=proxy) as pool:
        with pytest.raises(httpx.ProxyError) as caught:
            await asked(pool)
    assert PASSWORD not in f"{caught.value!r} {proxy!r} {proxy}"
    return str(caught.value)


# --- The tunnel -------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [True, False])
async def test_upstream_is_reached_through_the_tunnel(
    secure: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    answer, connections = writing(FINE)
    async with (
        raw_server(answer, authority.server("127.0.0.1") if secure else None) as server,
        proxy_answering() as proxy,
        pool_of(server, proxy=Proxy.from_url(proxy.url())) as pool,
    ):
        for _ in range(3):
            assert await whole(await asked(pool)) == b'{"answer": 1}'
    assert len(connections) == 1
    target = f"127.0.0.1:{server.port}"
    assert proxy.heads == [f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()]


async def test_user_and_password_are_sent_to_the_proxy_alone() -> None:
    answer, _ = writing(FINE)
    async with raw_server(answer) as server, proxy_answering() as running:
        proxy = Proxy.from_url(running.url(f"us%40er:{PASSWORD}%3A@"))
        async with pool_of(server, proxy=proxy) as pool:
            await whole(await asked(pool))
    sent = base64.b64encode(f"us@er:{PASSWORD}:".encode())
    assert b"\r\nProxy-Authorization: Basic " + sent + b"\r\n" in running.heads[0]
    assert b"roxy-" not in server.requests[0]


async def test_a_name_is_for_the_proxy_to_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(host: str, *_: Any, **options: Any) -> Any:
        assert options.get("flags") == socket.AI_NUMERICHOST or host == "127.0.0.1"
        return real(host, *_, **options)

    real = socket.getaddrinfo
    async with proxy_answering(b"HTTP/1.1 503 Later\r\n\r\n") as proxy:
        monkeypatch.setattr(socket, "getaddrinfo", unexpected)
        assert "cannot reach api.example:443" in await refusal(Proxy.from_url(proxy.url()))


@pytest.mark.parametrize("step", [1, 5])
async def test_an_answer_of_the_proxy_may_come_in_pieces(step: int) -> None:
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\n"
        for start in range(0, len(head), step):
            writer.write(head[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(FINE)

    async with listening(in_pieces) as port:
        proxy = Proxy.from_url(f"http://127.0.0.1:{port}")
        async with pool_of("http://api.example", proxy=proxy) as pool:
            assert await whole(await asked(pool)) == b'{"answer": 1}'


# --- Its refusals -----------------------------------------------------------------------------

BASIC = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"
OTHERS = b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Negotiate\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "user", "said"),
    [
        (BASIC, "", "wants a user and a password in its URL (407 Proxy Authentication Required)"),
        (BASIC, f"user:{PASSWORD}@", "refuses the user and password that its URL has (407"),
        (OTHERS, f"user:{PASSWORD}@", "wants negotiate or ntlm to sign in"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "", "does not let this gateway reach api.example:443"),
        (b"HTTP/1.1 405\r\n\r\n", "", "does not let this gateway reach api.example:443 (405)"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n<p>", "", "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 502 Bad \x1b[1mGateway\r\n\r\n", "", "cannot reach api.example:443 (502 Bad"),
        (b"HTTP/1.1 504 " + b"x" * 5000 + b"\r\n\r\n", "", "cannot reach api.example:443 (504 x"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "", "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 403", "", "closed the connection without an answer"),
        (b"", "", "closed the connection without an answer"),
        (b"HTTP/1.1 403 " + b"x" * 2 * MOST_ANSWER_BYTES, "", "answers without end"),
    ],
)
async def test_a_refusal_is_told_with_its_cause(answer: bytes, user: str, said: str) -> None:
    async with proxy_answering(answer) as running:
        told = await refusal(Proxy.from_url(running.url(user)))
    assert told.startswith(f"the proxy 127.0.0.1:{running.port} ")
    assert said in told
    assert len(told) < 200 and told.isprintable()


async def test_a_proxy_that_is_not_there_is_told_apart_from_upstream() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        told = await refusal(Proxy.from_url(f"http://127.0.0.1:{port}"))
        assert told.startswith(f"the proxy 127.0.0.1:{port}: 127.0.0.1:{port} refuses")
    told = await refusal(Proxy.from_url("http://nobody.invalid:3128"))
    assert told.startswith("the proxy nobody.invalid:3128: the name nobody.invalid is not known")


async def test_a_proxy_that_says_nothing_is_a_time_out() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        proxy = Proxy.from_url(f"http://127.0.0.1:{port}")
        async with pool_of("http://api.example", proxy=proxy, connect_s=0.1) as pool:
            with pytest.raises(httpx.ConnectTimeout, match=r"the tunnel of the proxy 127\.0\.0\.1"):
                await asked(pool)


async def test_the_client_tells_the_cause_and_may_try_again() -> None:
    async with proxy_answering(BASIC) as running:
        proxy = Proxy.from_url(running.url(f"user:{PASSWORD}@"))
        account = Account("account", "token", "https://api.example")
        async with Client(account, proxy=proxy, retry=NO_RETRY) as client:
            with pytest.raises(errors.Unreachable, match=r"no connection .*: the proxy .* refuses"):
                await client.chat(chat(), stream=False)


# --- Which one --------------------------------------------------------------------------------

CLOUDFLARE = "https://api.cloudflare.com/client/v4"
Chosen = Callable[..., Awaitable[None]]


@pytest.mark.parametrize(
    ("url", "named", "https_proxy", "no_proxy", "chosen"),
    [
        (CLOUDFLARE, "", "", "", None),
        (CLOUDFLARE, "http://a:1", "", "", "a"),
        (CLOUDFLARE, "", "http://b:2", "", "b"),
        (CLOUDFLARE, "http://a:1", "http://b:2", "*", "a"),
        (CLOUDFLARE, "", "http://b:2", "*", None),
        (CLOUDFLARE, "", "http://b:2", "localhost, .cloudflare.com", None),
        (CLOUDFLARE, "", "http://b:2", "localhost *.cloudflare.com", None),
        (CLOUDFLARE, "", "http://b:2", "CLOUDFLARE.com", None),
        (CLOUDFLARE, "", "http://b:2", "api.cloudflare.com:443", None),
        (CLOUDFLARE, "", "http://b:2", "api.cloudflare.com:8443", "b"),
        (CLOUDFLARE, "", "http://b:2", "flare.com,loud,,.", "b"),
        (CLOUDFLARE, "", "http://b:2", "10.0.0.0/8,127.0.0.1", "b"),
        ("https://10.1.2.3:8443", "", "http://b:2", "10.0.0.0/8", None),
        ("https://10.1.2.3:8443", "", "http://b:2", "10.1.2.3", None),
        ("https://11.1.2.3", "", "http://b:2", "10.0.0.0/8,1.2.3", "b"),
        ("https://[2001:db8::1]", "", "http://b:2", "[2001:db8::1]", None),
        ("https://[2001:db8::1]", "", "http://b:2", "2001:db8::/32", None),
        # What is not encrypted has another variable by convention, and is nothing of Cloudflare's.
        ("http://127.0.0.1:8080", "", "http://b:2", "", None),
        ("http://127.0.0.1:8080", "http://a:1", "", "127.0.0.1", "a"),
    ],
)
def test_the_named_proxy_wins_and_exceptions_are_honoured(
    url: str, named: str, https_proxy: str, no_proxy: str, chosen: str | None
) -> None:
    proxy = proxy_for(url, named=named, https_proxy=https_proxy, no_proxy=no_proxy)
    assert (proxy.host if proxy else None) == chosen
