"""Whatever upstream sends, and however slowly, it takes a bounded time and a bounded memory."""

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from tests.workers_ai.clients import NO_RETRY, Client, chat, of_server
from tests.workers_ai.raw_server import STREAM_HEAD, chunked, raw_server, response
from workers_ai import whole_answers
from workers_ai.answer import EventSource
from workers_ai.errors import Refused, StreamCut, TimedOut, UnusableAnswer
from workers_ai.silence import Timeouts
from workers_ai.sse import MAX_EVENT_BYTES
from workers_ai.whole_answers import MIB, MOST_MEDIA_BYTES, MOST_REFUSAL_BYTES, MOST_TEXT_BYTES

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
MEDIA = CHUNKED.replace(b"application/json", b"image/png")
REFUSED = CHUNKED.replace(b"200 OK", b"400 Bad Request")
LONG = Timeouts(first_byte_s=60, idle_s=60)

Ask = Callable[[Client], Awaitable[object]]


async def ask_whole(client: Client) -> object:
    return await client.chat(chat(), stream=False)


async def ask_run(client: Client) -> object:
    return await client.run("@cf/a/picture", b"{}")


async def ask_catalog(client: Client) -> object:
    return await client.list_models()


async def ask_schema(client: Client) -> object:
    return await client.model_schema("@cf/a/picture")


async def ask_stream(client: Client) -> object:
    source = await client.chat(chat(), stream=True)
    assert isinstance(source, EventSource)
    return [event async for events in source for event in events]


async def ask_delivery(client: Client) -> object:
    source = await client.chat(chat(), stream=True)
    assert isinstance(source, EventSource)
    return await source.deliver(lambda _events: None)


# --- Size -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "head", "part", "error", "most_bytes"),
    [
        (ask_whole, CHUNKED, b" ", UnusableAnswer, MOST_TEXT_BYTES),
        (ask_run, CHUNKED, b" ", UnusableAnswer, MOST_MEDIA_BYTES),
        (ask_run, MEDIA, b"\xff", UnusableAnswer, MOST_MEDIA_BYTES),
        (ask_catalog, CHUNKED, b" ", UnusableAnswer, 16 * MIB),
        (ask_schema, CHUNKED, b" ", UnusableAnswer, 16 * MIB),
        (ask_whole, REFUSED, b" ", Refused, MOST_REFUSAL_BYTES),
        (ask_stream, STREAM_HEAD, b"data: x", StreamCut, MAX_EVENT_BYTES),
        (ask_stream, STREAM_HEAD, b": comment" + b"x" * 990 + b"\n", StreamCut, MAX_EVENT_BYTES),
        (ask_delivery, STREAM_HEAD, b"data: x", StreamCut, MAX_EVENT_BYTES),
    ],
)
async def test_an_endless_answer_is_given_up_at_its_bound(
    ask: Ask, head: bytes, part: bytes, error: type[Exception], most_bytes: int
) -> None:
    sent = 0

    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        chunk = chunked(part * (200_000 // len(part)))
        writer.write(head)
        while sent < 3 * MOST_MEDIA_BYTES:
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)

    async with raw_server(endless) as server, of_server(server, retry=NO_RETRY) as client:
        tracemalloc.start()
        try:
            with pytest.raises(error):
                await ask(client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await asyncio.wait_for(server.closed.wait(), 10)
    # Beyond the bound, what sockets and buffers on both sides held.
    assert sent < most_bytes + 20 * MIB
    assert peak < most_bytes + 20 * MIB


async def test_a_bomb_is_given_up_at_the_bound_of_what_it_becomes() -> None:
    bomb = gzip.compress(b" " * (2 * MOST_TEXT_BYTES))

    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(response("200 OK", bomb, "content-encoding: gzip"))

    async with raw_server(answer) as server, of_server(server) as client:
        tracemalloc.start()
        try:
            with pytest.raises(UnusableAnswer, match="more than 32 MiB"):
                await client.chat(chat(), stream=False)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < MOST_TEXT_BYTES + 10 * MIB


async def test_the_beginning_of_an_endless_refusal_is_its_reason() -> None:
    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        text = b'{"success": false, "errors": [{"code": 5006, "message": "no such field"}]}'
        writer.write(REFUSED + chunked(text + b" " * 100_000))
        with suppress(ConnectionError):
            while True:
                writer.write(chunked(b" " * 100_000))
                await writer.drain()

    async with raw_server(endless) as server, of_server(server) as client:
        with pytest.raises(Refused, match="no such field"):
            await client.chat(chat(), stream=False)


async def test_answers_that_grow_wait_for_those_that_grew_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole_answers, "_GATES", ((1000, 2),))
    begun, finish = 0, asyncio.Event()

    async def large(_request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        writer.write(CHUNKED + chunked(b" " * 2000))
        begun += 1
        await finish.wait()
        writer.write(chunked(b"{}") + b"0\r\n\r\n")

    async def small(request: bytes, writer: asyncio.StreamWriter) -> None:
        if b"small" in request:
            writer.write(response("200 OK", b"{}"))
        else:
            await large(request, writer)

    async with raw_server(small) as server, of_server(server, timeouts=LONG) as client:
        growing = [asyncio.create_task(ask_whole(client)) for _ in range(5)]
        while begun < 5:  # noqa: ASYNC110  nothing sets an event
            await asyncio.sleep(0.001)
        # The third to fifth hold what they read first, and the small one is not kept waiting.
        await client.chat(chat("small"), stream=False)
        assert client._whole._gates[0][1].locked()
        finish.set()
        await asyncio.gather(*growing)
        assert not client._whole._gates[0][1].locked()


# --- Time -------------------------------------------------------------------------------------

DRIPPING = Timeouts(first_byte_s=0.4, idle_s=0.3, total_s=1.5)


def dripping(head: bytes, drop: bytes, *, every_s: float = 0.05) -> Callable[..., Awaitable[None]]:
    async def drip(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(every_s)

    return drip


@pytest.mark.parametrize(
    ("ask", "head", "drop", "phase"),
    [
        (ask_whole, b"", b"\r\n", "first_byte"),
        (ask_whole, b"HTTP/1.1 200 ", b"O", "first_byte"),
        (ask_whole, b"HTTP/1.1 200 OK\r\nx: ", b"x", "first_byte"),
        (ask_whole, b"", b"HTTP/1.1 100 Continue\r\n\r\n", "first_byte"),
        (ask_stream, b"HTTP/1.1 200 OK\r\nx: ", b"x", "first_byte"),
        (ask_whole, CHUNKED + b"5;", b"x", "first_byte"),
        (ask_whole, CHUNKED, b"1\r\n \r\n", "total"),
        (ask_run, MEDIA, b"1\r\nx\r\n", "total"),
        (ask_catalog, CHUNKED, b"1\r\n \r\n", "total"),
        (ask_whole, CHUNKED + b"1\r\n \r\n5;", b"x", "idle"),
        (ask_whole, CHUNKED + b"1\r\n \r\n0\r\nx: ", b"x", "idle"),
        (ask_whole, REFUSED, b"1\r\n \r\n", "total"),
        (ask_stream, STREAM_HEAD, chunked(b": ping\n\n"), "total"),
        (ask_stream, STREAM_HEAD, chunked(b"data: 1\n\n"), "total"),
        (ask_delivery, STREAM_HEAD, chunked(b"data: 1\n\n"), "total"),
    ],
)
async def test_an_answer_that_drips_comes_to_an_end(
    ask: Ask, head: bytes, drop: bytes, phase: str
) -> None:
    async with (
        raw_server(dripping(head, drop)) as server,
        of_server(server, timeouts=DRIPPING, retry=NO_RETRY) as client,
        asyncio.timeout(20),
    ):
        with pytest.raises(TimedOut) as caught:
            await ask(client)
        assert caught.value.phase == phase
        await server.closed.wait()


async def test_the_whole_time_ends_while_nobody_reads_too() -> None:
    async with (
        raw_server(dripping(STREAM_HEAD, chunked(b"data: 1\n\n"))) as server,
        of_server(server, timeouts=Timeouts(total_s=0.2)) as client,
        asyncio.timeout(20),
    ):
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        await anext(source)
        await asyncio.sleep(0.3)
        with pytest.raises(TimedOut) as caught:
            async for _ in source:
                pass
        assert caught.value.phase == "total"
