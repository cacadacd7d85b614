"""HTTP from servers that are odd, broken or hostile: what is taken, what is refused, and that none
of it stays behind for the next answer.
"""

import asyncio

import httpx
import pytest

from tests.workers_ai.http.pools import FINE, asked, pool_of, whole, writing
from tests.workers_ai.raw_server import (
    STREAM_HEAD,
    chunked,
    listening,
    raw_server,
    response,
)
from workers_ai.http.connection import MOST_HEAD_BYTES, MOST_HEADERS


@pytest.mark.parametrize("step", [1, 7])
async def test_an_answer_in_small_pieces_is_the_same(step: int) -> None:
    sent = STREAM_HEAD + chunked(b"data: 1\n\n") + chunked(b"data: 2\n\n") + b"0\r\n\r\n"

    async def in_pieces(_request: bytes, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(sent), step):
            writer.write(sent[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)

    async with raw_server(in_pieces) as server, pool_of(server) as pool:
        for _ in range(2):
            assert await whole(await asked(pool)) == b"data: 1\n\ndata: 2\n\n"


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def until_closed(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nall of it")
        await writer.drain()
        writer.close()

    async with raw_server(until_closed) as server, pool_of(server) as pool:
        assert await whole(await asked(pool)) == b"all of it"


async def test_answers_below_200_only_announce_one() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    answer, connections = writing(hints + FINE)
    async with raw_server(answer) as server, pool_of(server) as pool:
        for _ in range(2):
            response = await asked(pool)
            assert response.status == 200
            assert "link" not in response.headers
            assert await whole(response) == b'{"answer": 1}'
    assert len(connections) == 1


async def test_an_answer_without_a_body_leaves_the_connection_as_it_was() -> None:
    answer, connections = writing(b"HTTP/1.1 204 No Content\r\n\r\n", FINE)
    async with raw_server(answer) as server, pool_of(server) as pool:
        assert await whole(await asked(pool)) == b""
        assert await whole(await asked(pool)) == b'{"answer": 1}'
    assert len(connections) == 1


async def test_what_follows_an_answer_is_nobodys() -> None:
    other = response("200 OK", b'{"of": "somebody else"}')
    answer, connections = writing(FINE + other)
    async with raw_server(answer) as server, pool_of(server) as pool:
        for _ in range(2):
            assert await whole(await asked(pool)) == b'{"answer": 1}'
    assert len(connections) == 2


async def test_an_answer_before_the_request_was_sent_is_taken() -> None:
    async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(response("413 Too Large", b"{}"))
        await asyncio.Event().wait()

    async with listening(at_once) as port, pool_of(f"http://127.0.0.1:{port}") as pool:
        answer = await asked(pool, b"x" * 20_000_000)
        assert answer.status == 413
        assert await whole(answer) == b"{}"
        # What is left of that body must not be read as the next request.
        assert not pool._idle


async def test_headers_that_come_twice_are_joined() -> None:
    answer, _ = writing(response("200 OK", b"", "X-Way: a", "x-way: b"))
    async with raw_server(answer) as server, pool_of(server) as pool:
        assert (await asked(pool)).headers["x-way"] == "a, b"


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"\x16\x03\x01\x00\x05",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ],
)
async def test_garbage_is_no_answer(garbage: bytes) -> None:
    answer, _ = writing(garbage)
    async with raw_server(answer) as server, pool_of(server) as pool:
        with pytest.raises(httpx.RemoteProtocolError):
            await asked(pool)


async def test_garbage_in_a_body_comes_after_what_was_good() -> None:
    answer, _ = writing(STREAM_HEAD + chunked(b"data: 1\n\n") + b"zz\r\n")
    async with raw_server(answer) as server, pool_of(server) as pool:
        response = await asked(pool)
        assert await response.read() == b"data: 1\n\n"
        with pytest.raises(httpx.ReadError):
            await response.read()


# --- Framing ----------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n"


async def test_trailers_are_left_out_and_reach_no_other_answer() -> None:
    trailed = CHUNKED + b"\r\n3\r\nabc\r\n0\r\nx-trailer: 1\r\nretry-after: 9\r\n\r\n"
    answer, connections = writing(trailed, FINE)
    async with raw_server(answer) as server, pool_of(server) as pool:
        first = await asked(pool)
        assert await whole(first) == b"abc"
        assert "x-trailer" not in first.headers
        second = await asked(pool)
        assert await whole(second) == b'{"answer": 1}'
        assert second.headers.keys() == {"content-type", "content-length"}
    assert len(connections) == 1


async def test_chunks_count_more_than_a_length_and_end_the_connection() -> None:
    both = CHUNKED + b"content-length: 2\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answer, connections = writing(both)
    async with raw_server(answer) as server, pool_of(server) as pool:
        for _ in range(2):
            assert await whole(await asked(pool)) == b"abc"
    assert len(connections) == 2


@pytest.mark.parametrize(
    "head, stays",
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", True),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
async def test_a_connection_stays_as_the_answer_says(head: bytes, stays: bool) -> None:
    answer, connections = writing(head + b"content-length: 2\r\n\r\n{}")
    async with raw_server(answer) as server, pool_of(server) as pool:
        for _ in range(2):
            assert await whole(await asked(pool)) == b"{}"
    assert len(connections) == (1 if stays else 2)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_status_without_a_body_has_none_whatever_its_length_says(status: str) -> None:
    answer, connections = writing(f"HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n".encode(), FINE)
    async with raw_server(answer) as server, pool_of(server) as pool:
        assert await whole(await asked(pool)) == b""
        assert await whole(await asked(pool)) == b'{"answer": 1}'
    assert len(connections) == 1


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"transfer-encoding: gzip, chunked\r\n",
        HEAD + b"transfer-encoding: identity\r\n",
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        HEAD + b"content-length: 3\r\ncontent-length: 4\r\n",
        HEAD + b"content-length: -3\r\n",
        HEAD + b"content-length: 0x3\r\n",
        HEAD + b"content-length: 3, 3\r\n",
        HEAD + b"content-length: 99999999999999999999999\r\n",
        HEAD + b"content-length : 3\r\n",
        HEAD + b"x: a\x00b\r\ncontent-length: 3\r\n",
        HEAD + b"no colon\r\ncontent-length: 3\r\n",
        b"HTTP/1.1 099 Low\r\ncontent-length: 3\r\n",
        b"HTTP/1.1 2000 High\r\ncontent-length: 3\r\n",
        b"HTTP/3.0 200 OK\r\ncontent-length: 3\r\n",
    ],
)
async def test_a_head_that_can_be_read_in_two_ways_is_refused(head: bytes) -> None:
    answer, _ = writing(head + b"\r\nabc")
    async with raw_server(answer) as server, pool_of(server) as pool:
        with pytest.raises(httpx.RemoteProtocolError):
            await asked(pool)


@pytest.mark.parametrize(
    "body",
    [b"-1\r\nabc\r\n", b"fffffffffffffffff\r\nabc", b"3\r\nabcdef\r\n", b"\r\n3\r\nabc\r\n"],
)
async def test_a_chunk_that_is_none_is_refused(body: bytes) -> None:
    answer, _ = writing(CHUNKED + b"\r\n" + body)
    async with raw_server(answer) as server, pool_of(server) as pool:
        with pytest.raises(httpx.HTTPError):
            await whole(await asked(pool))


@pytest.mark.parametrize(
    "cut",
    [
        HEAD,
        HEAD + b"content-length: 3\r\n\r\nab",
        CHUNKED + b"\r\n3\r\nab",
        CHUNKED + b"\r\n3\r\nabc\r\n",
        CHUNKED + b"\r\n3\r\nabc\r\n0\r\nx-trailer: ",
    ],
)
async def test_an_end_in_the_middle_is_no_end(cut: bytes) -> None:
    async def cutting(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(cut)
        await writer.drain()
        writer.close()

    async with raw_server(cutting) as server, pool_of(server) as pool:
        with pytest.raises(httpx.HTTPError):
            await whole(await asked(pool))


# --- Without end ------------------------------------------------------------------------------

ENDLESS = [
    (b"HTTP/1.1 200 ", b"reason " * 1000),
    (HEAD + b"x-long: ", b"a" * 10_000),
    (HEAD, b"x" * 10_000),
    (HEAD, b"".join(b"x-%d: 1\r\n" % number for number in range(300))),
    (HEAD, b"x-same: 1\r\n" * 1000),
    (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 100),
    (b"", b"\r\n" * 5000),
    (CHUNKED + b"\r\n3;", b"extension" * 1000),
    (CHUNKED + b"\r\n3\r\nabc\r\n0\r\nx-trailer: ", b"a" * 10_000),
    (CHUNKED + b"\r\n3\r\nabc\r\n0\r\n", b"x-same: 1\r\n" * 1000),
    (CHUNKED + b"\r\n3\r\nabc\r\n0\r\n", b"".join(b"x-%d: 1\r\n" % n for n in range(999))),
]


@pytest.mark.parametrize("begins, goes_on", ENDLESS)
async def test_what_has_no_end_is_given_up_soon(begins: bytes, goes_on: bytes) -> None:
    sent = 0

    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(begins)
        while sent < 100_000_000:
            writer.write(goes_on)
            await writer.drain()
            sent += len(goes_on)

    async with raw_server(endless) as server, pool_of(server) as pool:
        with pytest.raises(httpx.HTTPError):
            await whole(await asked(pool))
        await asyncio.wait_for(server.closed.wait(), 5)
    # What both sockets held, beyond what was looked at.
    assert sent < 20_000_000


async def test_many_headers_are_fine_up_to_the_bound() -> None:
    lines = [f"x-{number}: {number}" for number in range(MOST_HEADERS - 2)]
    heads = (lines, [*lines, "x: 1"])
    answer, _ = writing(*(response("200 OK", b"{}", *head) for head in heads))
    async with raw_server(answer) as server, pool_of(server) as pool:
        assert (await asked(pool)).headers["x-253"] == "253"
        with pytest.raises(httpx.RemoteProtocolError, match=f"more than {MOST_HEADERS} headers"):
            await asked(pool)


async def test_a_long_body_in_tiny_chunks_is_no_flood_of_framing() -> None:
    body = b"1;extension=xxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n" * (MOST_HEAD_BYTES // 20)
    answer, _ = writing(CHUNKED + b"\r\n" + body + b"0\r\n\r\n")
    async with raw_server(answer) as server, pool_of(server) as pool:
        assert await whole(await asked(pool)) == b"a" * (MOST_HEAD_BYTES // 20)


# --- Half-closed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", [HEAD + b"content-length: 9\r\n\r\n", HEAD + b"\r\n"], ids=["length", "no length"]
)
async def test_a_peer_that_stopped_sending_is_not_waited_for(head: bytes) -> None:
    async def half_closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(head + b"early end")
        writer.write_eof()
        # It reads no more of the request, and keeps its side open.
        await asyncio.Event().wait()

    async with listening(half_closing) as port, pool_of(f"http://127.0.0.1:{port}") as pool:
        answer = await asked(pool, b"x" * 20_000_000)
        assert await asyncio.wait_for(whole(answer), 5) == b"early end"
        assert not pool._idle


async def test_a_peer_that_stopped_sending_before_its_answer_is_told() -> None:
    async def half_closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write_eof()
        await asyncio.Event().wait()

    async with listening(half_closing) as port, pool_of(f"http://127.0.0.1:{port}") as pool:
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(asked(pool, b"x" * 20_000_000), 5)
