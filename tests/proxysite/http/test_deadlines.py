"""How long a connection waits for what, by a clock that the test moves; who goes on is not cut."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from uvicorn.config import Config

from openai_api.errors import ApiError
from proxysite.http import connections as connections_module
from proxysite.http.connection import ClientConnection
from proxysite.http.connections import Bounds, Connections

HEAD_S, BODY_S, IDLE_S, WRITE_S = 20.0, 30.0, 120.0, 60.0
KIB = 1024


class Transport(asyncio.Transport):
    """Takes everything; `held` is what it still has for the client."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5000)})
        self.written = b""
        self.held = 0
        self.closed = self.aborted = self.eof = False

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.held

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def write_eof(self) -> None:
        self.eof = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Client:
    """A connection and the clock of its worker. `app` is an ASGI application."""

    def __init__(self, app: Any, connections: Connections | None = None) -> None:
        config = Config(app=app, http=ClientConnection, lifespan="off", log_config=None)
        config.load()
        self.transport = Transport()
        self.connections = connections or Connections(Bounds(HEAD_S, BODY_S, IDLE_S, WRITE_S))
        self.connections.look(1000.0)
        self.connection = ClientConnection(config, self.connections, {})
        self.connection.connection_made(self.transport)

    async def send(self, data: bytes) -> None:
        self.connection.data_received(data)
        await self.turns()

    async def wait(self, seconds: float) -> None:
        """Time passes, in steps like those of a running worker."""
        end = self.connections.now + seconds
        while self.connections.now < end:
            self.connections.look(min(end, self.connections.now + 0.25))
        await self.turns()

    async def turns(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def answer(self) -> bytes:
        return self.transport.written


def head(length: int, more: str = "") -> bytes:
    return f"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{more}\r\n".encode()


async def read_all(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body, or with why it did not come."""
    size, more = 0, True
    try:
        while more:
            message = await receive()
            size += len(message["body"])
            more = message["more_body"]
        status, body = 200, b"%d" % size
    except ApiError as error:
        status, body = error.status, str(error).encode()
    length = str(len(body)).encode()
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def test_of_clients_that_came_between_two_looks_the_one_in_use_stays() -> None:
    first = Client(read_all)
    clients = [first, *(Client(read_all, first.connections) for _ in range(39))]
    in_use = clients[7]
    await in_use.send(head(0))
    while len(first.connections.connections) > 1:
        first.connections.make_room(Client(read_all).connection)
    assert first.connections.connections == {in_use.connection}


async def test_a_large_body_over_a_slow_line_is_taken() -> None:
    client = Client(read_all)
    await client.send(head(800 * 32 * KIB))
    for _ in range(800):
        await client.wait(BODY_S - 1)
        await client.send(b"x" * 32 * KIB)
    assert client.answer.endswith(b"%d" % (800 * 32 * KIB))


async def test_a_small_body_may_pause_as_long_as_each_pause_is_short() -> None:
    client = Client(read_all)
    await client.send(head(8))
    for _ in range(8):
        await client.wait(BODY_S - 1)
        await client.send(b"x")
    assert client.answer.endswith(b"\r\n\r\n8")


async def test_a_body_that_comes_byte_by_byte_for_ever_is_given_up() -> None:
    client = Client(read_all)
    await client.send(head(10**6))
    for _ in range(15):
        await client.wait(BODY_S - 1)
        await client.send(b"x")
    assert client.answer.startswith(b"HTTP/1.1 408")
    assert client.transport.eof


async def test_a_pause_that_is_too_long_is_408() -> None:
    client = Client(read_all)
    await client.send(head(8) + b"x")
    await client.wait(BODY_S - 1)
    assert client.answer == b""
    await client.wait(2)
    assert client.answer.startswith(b"HTTP/1.1 408")


async def test_framing_alone_is_no_part_of_a_body() -> None:
    client = Client(read_all)
    await client.send(head(0).replace(b"content-length: 0", b"transfer-encoding: chunked"))
    await client.send(b"1\r\nx\r\n5;")
    for _ in range(3):
        await client.wait(BODY_S / 2)
        await client.send(b"e" * 10)
    assert client.answer.startswith(b"HTTP/1.1 408")


async def test_who_is_kept_waiting_by_the_gateway_is_not_late() -> None:
    """More than fits is there, and nobody reads it yet: no more can come."""
    begin = asyncio.Event()

    async def read_later(scope: Any, receive: Any, send: Any) -> None:
        await begin.wait()
        await read_all(scope, receive, send)

    client = Client(read_later)
    await client.send(head(300 * KIB) + b"x" * 100 * KIB)
    await client.wait(10 * BODY_S)
    begin.set()
    await client.turns()
    await client.wait(BODY_S - 1)
    assert client.answer == b""
    await client.send(b"x" * 200 * KIB)
    assert client.answer.endswith(b"%d" % (300 * KIB))


async def test_who_waits_to_be_told_to_go_on_is_not_late() -> None:
    begin = asyncio.Event()

    async def read_later(scope: Any, receive: Any, send: Any) -> None:
        await begin.wait()
        await read_all(scope, receive, send)

    client = Client(read_later)
    await client.send(head(5, "expect: 100-continue\r\n"))
    await client.wait(5 * BODY_S)
    assert client.answer == b""
    begin.set()
    await client.turns()
    assert client.answer == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.wait(BODY_S - 1)
    await client.send(b"hello")
    assert client.answer.endswith(b"\r\n\r\n5")
    # And the connection lives on.
    await client.send(head(1) + b"x")
    assert client.answer.count(b"HTTP/1.1 200") == 2
    assert b"connection: close" not in client.answer


async def test_who_was_not_told_to_go_on_may_have_kept_the_body() -> None:
    """What comes next would be taken for the body, were the connection used on."""

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    client = Client(refuse)
    await client.send(head(5, "expect: 100-continue\r\n"))
    assert b"connection: close" in client.answer
    await client.send(head(0))
    assert client.answer.count(b"HTTP/1.1") == 1


async def test_the_next_head_has_its_whole_time_once_the_answer_is_out() -> None:
    finish = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await finish.wait()
        await read_all(scope, receive, send)

    client = Client(slow)
    await client.send(head(0) + b"POST /v1/x HTTP/1.1\r\n")
    await client.wait(10 * HEAD_S)
    assert client.answer == b""
    finish.set()
    await client.turns()
    assert client.answer.startswith(b"HTTP/1.1 200")
    await client.wait(HEAD_S - 1)
    await client.send(b"content-length: 1\r\n\r\nx")
    assert client.answer.count(b"HTTP/1.1 200") == 2


async def test_an_idle_connection_is_kept_for_its_time() -> None:
    client = Client(read_all)
    await client.send(head(0))
    await client.wait(IDLE_S - 1)
    await client.send(head(0))
    assert client.answer.count(b"HTTP/1.1 200") == 2
    await client.wait(IDLE_S - 1)
    assert not client.transport.closed
    await client.wait(2)
    assert client.transport.closed


async def endless(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the client's machine has taken so far; it never has all."""
    amount = [1]
    monkeypatch.setattr(connections_module, "progress", lambda transport: (amount[0], False))
    monkeypatch.setattr(connections_module, "cut", lambda transport: transport.abort())
    return amount


async def test_a_client_that_takes_a_little_now_and_then_is_left_alone(taken: list[int]) -> None:
    client = Client(endless)
    await client.send(head(0))
    for _ in range(20):
        await client.wait(WRITE_S - 6)
        taken[0] += 1
    assert not client.transport.aborted
    await client.wait(WRITE_S + 6)
    assert client.transport.aborted


@pytest.mark.parametrize("leave", [lambda client: client.transport.close(), lambda client: None])
async def test_what_is_left_of_an_answer_holds_a_connection_no_longer(
    taken: list[int], leave: Callable[[Client], None]
) -> None:
    client = Client(read_all)
    await client.send(head(0))
    leave(client)
    client.transport.held = 1
    await client.wait(WRITE_S + 6)
    assert client.transport.aborted


async def test_a_client_to_whom_nothing_is_written_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections_module, "progress", lambda transport: (1, True))
    client = Client(endless)
    await client.send(head(0))
    await client.wait(100 * WRITE_S)
    assert not client.transport.aborted


async def test_connections_share_the_names_of_their_attributes() -> None:
    """Python shares those of at most thirty; with more, each connection has a table of 1 KiB."""
    client = Client(read_all)
    await client.send(head(0))
    assert len(vars(client.connection)) <= 30
