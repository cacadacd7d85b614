"""The way to upstream: addresses, TLS, and that each way to fail tells its cause."""

import asyncio
import errno
import os
import resource
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from tests.workers_ai.clients import NO_RETRY, Client, chat
from tests.workers_ai.http.certificates import DAY, NOW, Authority
from tests.workers_ai.http.pools import FINE, HEADERS, asked, pool_of, whole, writing
from tests.workers_ai.raw_server import listening, raw_server
from workers_ai import errors
from workers_ai.client import Account
from workers_ai.http.causes import cause_of


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@asynccontextmanager
async def serving(tls: ssl.SSLContext) -> AsyncIterator[str]:
    answer, _ = writing(FINE)
    async with raw_server(answer, tls) as server:
        yield f"https://localhost:{server.port}"


async def failure(url: str, **options: Any) -> str:
    async with pool_of(url, **options) as pool:
        with pytest.raises(httpx.TransportError) as caught:
            await asked(pool)
    assert isinstance(caught.value, httpx.ConnectError | httpx.ConnectTimeout)
    return str(caught.value)


# --- Reaching it ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_server_is_reached_by_name_and_by_number(host: str) -> None:
    answer, _ = writing(FINE)
    # The server listens on 127.0.0.1 alone, whatever else the name stands for.
    async with raw_server(answer) as server, pool_of(f"http://{host}:{server.port}") as pool:
        assert await whole(await asked(pool)) == b'{"answer": 1}'


async def test_tls_is_spoken_with_whom_a_trusted_authority_vouches_for(trusted: Authority) -> None:
    async with serving(trusted.server("localhost", "127.0.0.1")) as url:
        for reached in (url, url.replace("localhost", "127.0.0.1")):
            async with pool_of(reached) as pool:
                for _ in range(2):
                    assert await whole(await asked(pool)) == b'{"answer": 1}'


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_body_in_pieces_arrives_whole(trusted: Authority, run: Any, tls: bool) -> None:
    pieces = (b"a" * 10, memoryview(b"b" * 3_000_000), memoryview(b""), b"c")

    async def sent() -> bytes:
        answer, _ = writing(FINE)
        context = trusted.server("localhost", "127.0.0.1") if tls else None
        async with raw_server(answer, context) as server, pool_of(server.url) as pool:
            response = await pool.request(b"POST", b"/", HEADERS, pieces)
            assert await whole(response) == b'{"answer": 1}'
            return server.requests[0]

    request = run(sent())
    assert request.partition(b"\r\n\r\n")[2] == b"".join(pieces)


async def test_a_folder_of_authorities_is_trusted_too(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name by which OpenSSL looks for it, as c_rehash makes it.
    asking = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority.file)]
    name = subprocess.run(asking, check=True, capture_output=True, text=True).stdout.strip()  # noqa: ASYNC221
    (tmp_path / f"{name}.0").write_bytes(authority.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    async with serving(authority.server("localhost")) as url, pool_of(url) as pool:
        assert await whole(await asked(pool)) == b'{"answer": 1}'


# --- Failing ----------------------------------------------------------------------------------


async def test_a_certificate_of_an_unknown_authority(authority: Authority) -> None:
    async with serving(authority.server("localhost")) as url:
        said = await failure(url)
    assert "the certificate of localhost is not trusted" in said
    assert "set SSL_CERT_FILE to" in said


async def test_a_certificate_for_another_name(trusted: Authority) -> None:
    async with serving(trusted.server("gateway.example")) as url:
        assert "the certificate is not one for localhost" in await failure(url)
        by_number = url.replace("localhost", "127.0.0.1")
        assert "the certificate is not one for 127.0.0.1" in await failure(by_number)


async def test_a_certificate_out_of_its_time(trusted: Authority) -> None:
    async with serving(trusted.server("localhost", ends=NOW - DAY / 2)) as url:
        assert "the certificate of localhost has expired" in await failure(url)
    async with serving(trusted.server("localhost", begins=NOW + DAY / 2)) as url:
        assert "is not valid yet" in await failure(url)


async def test_a_server_that_speaks_no_tls() -> None:
    answer, _ = writing(FINE)
    async with raw_server(answer) as server:
        said = await failure(f"https://localhost:{server.port}", connect_s=2)
    assert f"localhost:{server.port}" in said and "TLS" in said


async def test_a_server_that_closes_before_it_is_ready(authority: Authority) -> None:
    async def closing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listening(closing) as port:
        said = await failure(f"https://localhost:{port}")
    assert f"localhost:{port} closed the connection before it was ready" in said


async def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            assert f"{host}:{port} refuses the connection" in await failure(f"http://{host}:{port}")


async def test_a_name_that_nobody_knows() -> None:
    assert "the name nobody.invalid is not known" in await failure("http://nobody.invalid")


async def test_name_servers_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    assert "the name servers do not answer for api.example" in await failure("http://api.example")


@pytest.fixture
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answer = threading.Event()

    def silent(*_: Any, **options: Any) -> Any:
        if options.get("flags") == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        answer.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    yield
    answer.set()


async def test_a_look_up_that_takes_too_long(silent_names: None) -> None:
    assert await failure("http://api.example", connect_s=0.05) == "the look-up of api.example:80"


async def test_a_handshake_that_takes_too_long() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        said = await failure(f"https://127.0.0.1:{port}", connect_s=0.3)
    assert said == f"the TLS handshake with 127.0.0.1:{port}"


async def test_no_file_descriptor_left() -> None:
    answer, _ = writing(FINE)
    async with raw_server(answer) as server, pool_of(f"http://localhost:{server.port}") as pool:
        await whole(await asked(pool))
        pool._idle.pop()[0].abort()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held: list[socket.socket] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        try:
            while True:
                held.append(socket.socket())
        except OSError as error:
            assert error.errno == errno.EMFILE
            with pytest.raises(httpx.ConnectError, match=r"no file .* left .* \(200 may be open"):
                await asked(pool)
            unknown = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            assert "no file descriptor is left" in cause_of(unknown, "api.example", 443)
        finally:
            for one in held:
                one.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await whole(await asked(pool)) == b'{"answer": 1}'


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENETUNREACH, "no route to api.example:443 (Network is unreachable)"),
        (errno.EHOSTUNREACH, "no route to api.example:443 (No route to host)"),
        (errno.ECONNRESET, "api.example:443 closed the connection"),
        (errno.EACCES, "api.example:443: "),
    ],
)
def test_what_cannot_be_made_to_happen_here(number: int, cause: str) -> None:
    assert cause in cause_of(OSError(number, os.strerror(number)), "api.example", 443)


# --- As the client tells it -------------------------------------------------------------------


async def test_the_client_passes_the_cause_on(authority: Authority) -> None:
    async with (
        serving(authority.server("localhost")) as url,
        Client(Account("account", "token", url), retry=NO_RETRY) as client,
    ):
        with pytest.raises(errors.Unreachable, match=r"not trusted.*set SSL_CERT_FILE") as caught:
            await client.chat(chat(), stream=False)
    assert caught.value.sent is False
