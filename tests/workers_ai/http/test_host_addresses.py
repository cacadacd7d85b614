"""Addresses of one host: kept for a while, and for as long as its name cannot be looked up."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from workers_ai.http import host_addresses
from workers_ai.http.host_addresses import HostAddresses


def address(number: int) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 443))]


class NameServer:
    """Answers each look-up with the next address; or fails; or is silent until `answer` is set."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False
        self.is_silent = False
        self.answer = threading.Event()

    def getaddrinfo(self, *_: Any, **options: Any) -> list[Any]:
        if options.get("flags") == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.asked += 1
        number = self.asked
        if self.is_silent:
            assert self.answer.wait(20)
        if self.fails:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return address(number)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    names = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    monkeypatch.setattr(host_addresses, "PATIENCE_S", 0.02)
    yield names
    names.answer.set()


async def test_one_look_up_serves_all_who_want_a_connection_now(names: NameServer) -> None:
    host = HostAddresses("api.example", 443)
    found = await asyncio.gather(*(host.get() for _ in range(20)))
    assert found == [address(1)] * 20
    assert names.asked == 1


async def test_addresses_are_looked_up_again_after_a_while(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_addresses, "KEPT_S", 0)
    monkeypatch.setattr(host_addresses, "PATIENCE_S", 20)
    host = HostAddresses("api.example", 443)
    assert [await host.get() for _ in range(3)] == [address(1), address(2), address(3)]


async def test_a_connection_that_failed_has_them_looked_up_again(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_addresses, "PATIENCE_S", 20)
    host = HostAddresses("api.example", 443)
    assert await host.get() == address(1)
    assert await host.get() == address(1)
    host.doubt()
    assert await host.get() == address(2)


async def test_the_last_good_ones_stay_in_use_while_a_look_up_is_slow(names: NameServer) -> None:
    host = HostAddresses("api.example", 443)
    assert await host.get() == address(1)
    names.is_silent = True
    host.doubt()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(50):
        assert await host.get() == address(1)
    # Only the first of them waited.
    assert loop.time() - began < 50 * host_addresses.PATIENCE_S
    assert names.asked == 2
    names.answer.set()
    async with asyncio.timeout(10):
        while await host.get() != address(2):  # noqa: ASYNC110  nothing sets an event
            await asyncio.sleep(0.001)


async def test_the_last_good_ones_stay_in_use_while_look_ups_fail(
    names: NameServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_addresses, "PATIENCE_S", 20)
    host = HostAddresses("api.example", 443)
    assert await host.get() == address(1)
    names.fails = True
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            host.doubt()
            assert await host.get() == address(1)
    (line,) = caplog.messages
    assert "api.example cannot be looked up" in line and "Temporary failure" in line
    names.fails = False
    host.doubt()
    assert await host.get() == address(5)


async def test_none_was_ever_found(names: NameServer) -> None:
    host = HostAddresses("api.example", 443)
    names.fails = True
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await host.get()
    names.fails = False
    assert await host.get() == address(3)


async def test_a_number_is_never_looked_up() -> None:
    for number in ("127.0.0.1", "::1"):
        host = HostAddresses(number, 443)
        assert host._resolver is not None
        host.doubt()
        assert (await host.get())[0][4][0] == number
        assert host._asking is None
