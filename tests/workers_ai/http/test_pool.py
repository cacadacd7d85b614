"""Connections to upstream: how they are shared, kept and given up, and what they deliver."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import pytest

from tests.workers_ai.http.pools import FINE, asked, pool_of, until, whole, writing
from tests.workers_ai.raw_server import (
    STREAM_HEAD,
    chunked,
    raw_server,
    response,
)
from workers_ai.http import pool
from workers_ai.http.pool import ConnectionPool
from workers_ai.http.response import MOST_UNREAD_BYTES, Response

# --- Sharing ----------------------------------------------------------------------------------


async def test_a_connection_is_used_again() -> None:
    answer, connections = writing(FINE)
    async with raw_server(answer) as server, pool_of(server) as pool:
        for _ in range(3):
            assert await whole(await asked(pool)) == b'{"answer": 1}'
    assert len(connections) == 1


async def test_a_connection_that_upstream_closed_is_not_used() -> None:
    async def once(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(FINE)
        await writer.drain()
        writer.close()

    async with raw_server(once) as server, pool_of(server) as pool:
        for _ in range(3):
            assert await whole(await asked(pool)) == b'{"answer": 1}'
            await until(lambda: not pool._open)


async def test_idle_connections_get_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "KEPT_IDLE_S", 0.05)
    answer, _ = writing(FINE)
    async with raw_server(answer) as server, pool_of(server) as kept:
        await whole(await asked(kept))
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_connection_close_is_obeyed() -> None:
    answer, connections = writing(response("200 OK", b"{}", "connection: close"))
    async with raw_server(answer) as server, pool_of(server) as pool:
        for _ in range(2):
            assert await whole(await asked(pool)) == b"{}"
    assert len(connections) == 2


async def test_no_more_connections_than_the_limit_and_each_waits_its_turn() -> None:
    open_now, most = 0, 0

    async def slowly(_request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        writer.write(FINE)

    async def one(pool: ConnectionPool, caller: str) -> bytes:
        return await whole(await asked(pool, caller=caller))

    async with raw_server(slowly) as server, pool_of(server, max_connections=3) as pool:
        answers = await asyncio.gather(*(one(pool, f"{number % 4}") for number in range(20)))
    assert answers == [b'{"answer": 1}'] * 20
    assert most == 3


async def test_a_wait_for_a_connection_has_its_limit() -> None:
    async def then_silent(_request: bytes, _writer: asyncio.StreamWriter) -> None:
        return

    async with (
        raw_server(then_silent) as server,
        pool_of(server, max_connections=1, pool_s=0.05) as pool,
    ):
        holding = asyncio.create_task(asked(pool))
        await server.asked.wait()
        with pytest.raises(httpx.PoolTimeout):
            await asked(pool)
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding
        # Its place is free again.
        again = asyncio.create_task(asked(pool))
        await until(lambda: len(server.requests) == 2)
        again.cancel()
        with suppress(asyncio.CancelledError):
            await again


async def test_who_leaves_while_waiting_takes_nothing_along() -> None:
    answer, _ = writing(STREAM_HEAD + chunked(b"data: 1\n\n"), FINE)
    async with raw_server(answer) as server, pool_of(server, max_connections=1) as pool:
        first = await asked(pool)
        leaving, staying = (asyncio.create_task(asked(pool)) for _ in range(2))
        await asyncio.sleep(0)
        # The place becomes free and its next owner leaves, in the same turn of the loop.
        first.close()
        leaving.cancel()
        assert await whole(await staying) == b'{"answer": 1}'
        assert leaving.cancelled()


@pytest.mark.parametrize("turns", range(6))
async def test_who_leaves_when_it_is_his_turn_gives_it_on(turns: int) -> None:
    answer, _ = writing(FINE)
    async with raw_server(answer) as server, pool_of(server, max_connections=1) as pool:
        first = asyncio.create_task(asked(pool))
        await server.asked.wait()
        leaving, staying = (asyncio.create_task(asked(pool)) for _ in range(2))
        await whole(await first)
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        assert await whole(await staying) == b'{"answer": 1}'
        with suppress(asyncio.CancelledError):
            await whole(await leaving)
        assert await whole(await asked(pool)) == b'{"answer": 1}'


# --- Shares -----------------------------------------------------------------------------------


async def test_one_caller_leaves_connections_for_the_next() -> None:
    async def then_endless(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD if request.endswith(b"endless") else FINE)

    async with raw_server(then_endless) as server, pool_of(server, max_connections=20) as pool:
        greedy = [asyncio.create_task(asked(pool, b"endless", caller="greedy")) for _ in range(60)]
        await until(lambda: len(server.requests) == 10)
        for _ in range(30):
            assert await whole(await asked(pool, caller="modest")) == b'{"answer": 1}'
        assert len([request for request in server.requests if request.endswith(b"endless")]) == 10
        for task in greedy:
            task.cancel()
        for held in await asyncio.gather(*greedy, return_exceptions=True):
            if not isinstance(held, BaseException):
                held.close()


async def test_who_waits_for_a_connection_is_served_caller_by_caller() -> None:
    first = asyncio.Event()

    async def in_order(_request: bytes, writer: asyncio.StreamWriter) -> None:
        await first.wait()
        writer.write(FINE)

    async with raw_server(in_order) as server, pool_of(server, max_connections=1) as pool:

        async def one(caller: str) -> None:
            await whole(await asked(pool, caller.encode(), caller=caller))

        asking = [asyncio.create_task(one(caller)) for caller in "aaaaabbc"]
        await server.asked.wait()
        first.set()
        await asyncio.gather(*asking)
    assert b"".join(request[-1:] for request in server.requests) == b"aabcabaa"


# --- Delivery ---------------------------------------------------------------------------------


async def test_what_arrives_is_delivered_in_order_and_once() -> None:
    events = [b"data: %d\n\n" % number for number in range(200)]

    async def stream(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for number, event in enumerate(events):
            writer.write(chunked(event))
            if number % 7 == 0:
                await writer.drain()
                await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    taken: list[bytes] = []

    def take(data: bytes) -> Awaitable[None] | None:
        taken.append(data)
        return asyncio.sleep(0.001) if len(taken) % 5 == 0 else None

    async with raw_server(stream) as server, pool_of(server) as pool:
        response = await asked(pool)
        while (waits_for := await response.deliver(take)) is not None:
            await waits_for
        assert response.is_over
    assert b"".join(taken) == b"".join(events)


async def test_delivery_stops_and_the_rest_can_be_read() -> None:
    rest = asyncio.Event()

    async def stream(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunked(b"first"))
        await writer.drain()
        await rest.wait()
        writer.write(chunked(b"second") + b"0\r\n\r\n")

    async with raw_server(stream) as server, pool_of(server) as pool:
        response = await asked(pool)
        taken: list[bytes] = []

        def take(data: bytes) -> None:
            taken.append(data)
            response.stop()

        assert await response.deliver(take) is None
        assert taken == [b"first"]
        rest.set()
        assert await whole(response) == b"second"


async def test_what_the_taker_raises_comes_out() -> None:
    class Refused(Exception):
        pass

    def take(_data: bytes) -> None:
        raise Refused

    answer, _ = writing(STREAM_HEAD + chunked(b"data: 1\n\n"))
    async with raw_server(answer) as server, pool_of(server) as pool:
        response = await asked(pool)
        with pytest.raises(Refused):
            await response.deliver(take)
        response.close()
        await asyncio.wait_for(server.closed.wait(), 5)


@pytest.mark.parametrize("how", ["read", "deliver"])
async def test_a_slow_reader_makes_upstream_wait(how: str) -> None:
    sent = 0
    slow = asyncio.Event()

    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(STREAM_HEAD)
        with suppress(ConnectionError):
            while sent < 50_000_000:
                writer.write(chunked(b"x" * 100_000))
                await writer.drain()
                sent += 100_000
                slow.set()

    async with raw_server(endless) as server, pool_of(server) as pool:
        response = await asked(pool)
        if how == "deliver":
            never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            assert await response.deliver(lambda _data: never) is never
        await slow.wait()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        # What fits into the sockets on both sides, and no more of it in this process.
        assert sent < 50_000_000
        assert response._unread_bytes < MOST_UNREAD_BYTES * 3
        response.close()


Step = Callable[[Response], Awaitable[object]]


@pytest.mark.parametrize(
    "step", [lambda one: one.read(), lambda one: one.deliver(lambda _data: None)]
)
async def test_who_stops_waiting_can_go_on(step: Step) -> None:
    later = asyncio.Event()

    async def stream(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        await writer.drain()
        await later.wait()
        writer.write(chunked(b"all") + b"0\r\n\r\n")

    async with raw_server(stream) as server, pool_of(server) as pool:
        response = await asked(pool)
        waiting = asyncio.ensure_future(step(response))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        later.set()
        assert await whole(response) == b"all"
        assert waiting.cancelled()
