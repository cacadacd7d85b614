"""Look-ups of names: on threads of their own, a limited number, fair between callers."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from workers_ai.http.resolver import Resolver

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


class Names:
    """The system's resolver: names under `silent.` are answered when `answer` is set."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        if host.endswith("silent."):
            assert self.answer.wait(20)
        if host == "nobody.":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return FOUND


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    yield names
    names.answer.set()


async def test_an_address_is_found(names: Names) -> None:
    assert await Resolver(threads=2).addresses("api.example.", 443) == FOUND


async def test_localhost_is_found() -> None:
    found = await Resolver(threads=1).addresses("localhost", 80)
    assert {address[4][0] for address in found} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["nobody.", "x" * 64 + ".example"])
async def test_a_name_that_nobody_knows_is_an_error(
    host: str, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    if host != "nobody.":
        monkeypatch.undo()
    with pytest.raises(socket.gaierror):
        await Resolver(threads=1).addresses(host, 443)


async def test_silent_names_leave_threads_for_other_callers(names: Names) -> None:
    resolver = Resolver(threads=8)
    silent = [
        asyncio.create_task(resolver.addresses(f"{number}.silent.", 80, caller="greedy"))
        for number in range(30)
    ]
    await asyncio.sleep(0)
    for _ in range(20):
        assert await resolver.addresses("api.example.", 443, caller="modest") == FOUND
    assert len([host for host in names.asked if host.endswith("silent.")]) == 4
    names.answer.set()
    await asyncio.gather(*silent)


async def test_a_look_up_that_was_given_up_holds_its_thread_until_it_ends(names: Names) -> None:
    resolver = Resolver(threads=1)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await resolver.addresses("a.silent.", 80)
    assert names.asked == ["a.silent."]
    names.answer.set()
    assert await resolver.addresses("api.example.", 443) == FOUND


async def test_no_thread_to_be_had_is_an_error_and_no_slot_is_lost(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Resolver(threads=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for _ in range(3):
            with pytest.raises(OSError, match="no thread"):
                await resolver.addresses("api.example.", 443)
    assert await resolver.addresses("api.example.", 443) == FOUND
