"""Compressed answers as a connection brings them: whole, flowing, stopped, broken, in layers."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.workers_ai.http.pools import FINE, asked, pool_of, whole, writing
from tests.workers_ai.raw_server import STREAM_HEAD, chunked, raw_server, response
from workers_ai.http.codings import PIECE_BYTES

TEXT = b'{"answer": "' + b"a" * 300_000 + b'"}'
GZIP_STREAM = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")


def compressed(content: bytes, coding: str) -> bytes:
    return response("200 OK", content, f"Content-Encoding: {coding}")


@pytest.mark.parametrize(
    "content, coding",
    [
        (gzip.compress(TEXT, mtime=0), "gzip"),
        (gzip.compress(TEXT, mtime=0), " GZIP "),
        (TEXT, "identity"),
        (zlib.compress(gzip.compress(TEXT, mtime=0)), "gzip, deflate"),
    ],
)
async def test_a_whole_answer_is_decoded(content: bytes, coding: str) -> None:
    answer, connections = writing(compressed(content, coding), FINE)
    async with raw_server(answer) as server, pool_of(server) as pool:
        assert await whole(await asked(pool)) == TEXT
        assert await whole(await asked(pool)) == b'{"answer": 1}'
    assert len(connections) == 1


async def test_an_empty_body_is_empty_in_every_coding() -> None:
    answer, _ = writing(compressed(b"", "gzip"))
    async with raw_server(answer) as server, pool_of(server) as pool:
        assert await whole(await asked(pool)) == b""


@pytest.mark.parametrize("coding", ["compress", "gzip, rot13", "gzip," * 4])
async def test_what_nobody_was_told_that_we_take_is_refused(coding: str) -> None:
    answer, _ = writing(compressed(b"abc", coding))
    async with raw_server(answer) as server, pool_of(server) as pool:
        with pytest.raises(httpx.DecodingError, match="content-encoding"):
            await asked(pool)


@pytest.mark.parametrize(
    "content", [gzip.compress(TEXT, mtime=0)[:-1], b"plain", b"\x1f\x8b" + b"x" * 99]
)
@pytest.mark.parametrize("how", ["read", "deliver"])
async def test_what_cannot_be_decoded_is_told(content: bytes, how: str) -> None:
    answer, _ = writing(compressed(content, "gzip"))
    async with raw_server(answer) as server, pool_of(server) as pool:
        got = await asked(pool)
        with pytest.raises(httpx.DecodingError):
            await (whole(got) if how == "read" else got.deliver(lambda _data: None))
        got.close()


Taking = Callable[[bytes], Awaitable[None] | None]


@pytest.mark.parametrize("how", ["read", "deliver"])
async def test_a_compressed_stream_flows_event_by_event(how: str) -> None:
    """Each event is sent only when the one before was read."""
    events = [b"data: %d\n\n" % number for number in range(20)]
    wanted: asyncio.Queue[None] = asyncio.Queue()

    async def flowing(_request: bytes, writer: asyncio.StreamWriter) -> None:
        deflater = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        writer.write(GZIP_STREAM)
        for event in events:
            await wanted.get()
            writer.write(chunked(deflater.compress(event) + deflater.flush(zlib.Z_SYNC_FLUSH)))
        await wanted.get()
        writer.write(chunked(deflater.flush()) + b"0\r\n\r\n")

    got: list[bytes] = []

    def take(event: bytes) -> None:
        got.append(event)
        wanted.put_nowait(None)

    async with raw_server(flowing) as server, pool_of(server) as pool, asyncio.timeout(10):
        answer = await asked(pool)
        wanted.put_nowait(None)
        if how == "deliver":
            assert await answer.deliver(take) is None
        else:
            while event := await answer.read():
                take(event)
    assert got == events


async def test_a_slow_taker_gets_a_piece_at_a_time_and_all_of_it() -> None:
    content = bytes(range(256)) * 4000
    answer, _ = writing(compressed(gzip.compress(content), "gzip"))
    taken: list[bytes] = []

    def take(piece: bytes) -> Awaitable[None]:
        taken.append(piece)
        return asyncio.sleep(0)

    async with raw_server(answer) as server, pool_of(server) as pool:
        got = await asked(pool)
        while (waits_for := await got.deliver(take)) is not None:
            await waits_for
    assert b"".join(taken) == content
    assert max(map(len, taken)) <= PIECE_BYTES


async def test_delivery_stops_in_the_middle_and_the_rest_can_be_read() -> None:
    content = bytes(range(256)) * 4000
    answer, _ = writing(compressed(gzip.compress(content), "gzip"))
    async with raw_server(answer) as server, pool_of(server) as pool:
        got = await asked(pool)
        taken: list[bytes] = []

        def take(piece: bytes) -> None:
            taken.append(piece)
            got.stop()

        assert await got.deliver(take) is None
        assert len(taken) == 1
        assert taken[0] + await whole(got) == content
