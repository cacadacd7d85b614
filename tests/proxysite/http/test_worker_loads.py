"""Two workers serve about as many clients each, however those came to be where they are."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxysite.http.worker_loads import COUNTS_FOR_S, PLACES, WorkerLoads
from tests.gateway import GatewayProcess, running_gateway
from tests.openai_api.chats import chat_body
from workers_ai.simulator.serve import RunningSimulator

CLIENTS = 32
MOST = CLIENTS // 2 * 5 // 4


@pytest.fixture
def two_workers(
    upstream: RunningSimulator, tmp_path: Path, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    with (
        django_db_blocker.unblock(),
        running_gateway(tmp_path, upstream, WEB_CONCURRENCY="2") as gateway,
    ):
        gateway.wait_until(lambda: len(gateway.worker_pids) == 2, "both workers exist")
        yield gateway


class Clients:
    """Clients that keep their connections and ask again and again. `broken` has what was not
    answered."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        body = json.dumps(chat_body()).encode()
        self._request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}"
            f"\r\nauthorization: Bearer {gateway.issue_key()}\r\n\r\n"
        ).encode() + body
        self._go_on = True
        self.answered = 0
        self.broken: list[str] = []

    async def begin(self) -> list["asyncio.Task[None]"]:
        """Once all are connected."""
        connected = [await self._connect() for _ in range(CLIENTS)]
        return [asyncio.create_task(self._ask(*streams)) for streams in connected]

    async def end(self, clients: list["asyncio.Task[None]"]) -> None:
        self._go_on = False
        await asyncio.gather(*clients)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._gateway.port)

    async def _ask(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        while self._go_on:
            try:
                outgoing.write(self._request)
                is_last = await self._answer(incoming)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                self.broken.append(repr(error))
                is_last = True
            if is_last:
                outgoing.close()
                incoming, outgoing = await self._connect()
            await asyncio.sleep(0.02)
        outgoing.close()

    async def _answer(self, incoming: asyncio.StreamReader) -> bool:
        """Reads one; whether it is the connection's last."""
        head = (await incoming.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200 "), head
        await incoming.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        self.answered += 1
        return b"\r\nconnection: close\r\n" in head


def held(gateway: GatewayProcess) -> list[int]:
    """How many connections of clients each worker has."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {
        f"socket:[{line[9]}]"
        for line in table
        if int(line[1].split(":")[1], 16) == gateway.port and line[3] == "01"
    }
    return [
        sum(1 for each in Path(f"/proc/{pid}/fd").iterdir() if is_one_of(each, sockets))
        for pid in gateway.worker_pids
    ]


def is_one_of(descriptor: Path, names: set[str]) -> bool:
    try:
        return str(descriptor.readlink()) in names
    except OSError:
        return False  # closed meanwhile


async def until_even(gateway: GatewayProcess) -> None:
    def is_even() -> bool:
        counts = held(gateway)
        return len(counts) == 2 and sum(counts) == CLIENTS and max(counts) <= MOST

    await asyncio.to_thread(gateway.wait_until, is_even, "both have about as many")


async def test_clients_are_shared_out(two_workers: GatewayProcess) -> None:
    gateway = two_workers
    clients = Clients(gateway)
    one, other = gateway.worker_pids
    # One of the two gets all, as it happens where they come at once.
    os.kill(other, signal.SIGSTOP)
    asking = await clients.begin()
    await asyncio.to_thread(
        gateway.wait_until, lambda: clients.answered >= CLIENTS, "the one worker answers all"
    )
    os.kill(other, signal.SIGCONT)
    await until_even(gateway)
    assert clients.broken == []
    # And the one that takes the place of a worker that was killed has none at first.
    os.kill(one, signal.SIGKILL)
    await until_even(gateway)
    await clients.end(asking)
    assert len(clients.broken) <= MOST
    assert clients.answered > 2 * CLIENTS


def test_who_tells_nothing_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 10**12
    monkeypatch.setattr("time.monotonic_ns", lambda: now_ns)
    loads = WorkerLoads()
    mine, others = loads.take_place(), loads.take_place()
    assert mine is not None
    assert others is not None
    loads.tell(others, 2)
    loads.tell(mine, 30)
    assert loads.beyond_share(mine) == 14
    assert loads.beyond_share(others) == 0
    now_ns += int(COUNTS_FOR_S * 1e9)
    loads.tell(mine, 30)
    assert loads.beyond_share(mine) == 0


def test_a_worker_that_has_ended_is_not_counted() -> None:
    loads = WorkerLoads()
    mine, others = loads.take_place(), loads.take_place()
    assert mine is not None
    assert others is not None
    loads.tell(others, 0)
    loads.tell(mine, 30)
    assert loads.beyond_share(mine) == 15
    loads.give_back(others)
    assert loads.beyond_share(mine) == 0
    assert loads.take_place() == others


@pytest.mark.parametrize(
    ("of_one", "of_two", "beyond"), [(2, 0, 0), (5, 0, 0), (6, 0, 3), (20, 13, 0), (21, 11, 5)]
)
def test_little_is_left_alone(of_one: int, of_two: int, beyond: int) -> None:
    """Clients that come and go make small differences all the time."""
    loads = WorkerLoads()
    one, two = loads.take_place(), loads.take_place()
    assert one is not None
    assert two is not None
    loads.tell(one, of_one)
    loads.tell(two, of_two)
    assert loads.beyond_share(one) == beyond


def test_more_workers_than_places_are_no_failure() -> None:
    loads = WorkerLoads()
    places = {loads.take_place() for _ in range(PLACES)}
    assert len(places) == PLACES
    assert loads.take_place() is None
    loads.give_back(None)
