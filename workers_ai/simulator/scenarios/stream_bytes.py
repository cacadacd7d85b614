"""Streams whose bytes are not one event a write with a blank line at its end."""

from collections.abc import AsyncIterator

import orjson

from workers_ai.simulator.scenarios.registry import Params, bytewise


@bytewise("garbage-lines", "`data:` lines between events that are no JSON", "8.23")
async def garbage_lines(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield b'data: {"respo\n\n'
        yield piece
        yield b"data: <html>\n\nnonsense\n\n"


@bytewise("glued-events", "events without the newline between them", "8.23")
async def glued_events(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    held = b""
    async for piece in pieces:
        if piece == b"data: [DONE]\n\n":
            yield held + b"\n\n" + piece
            return
        held += piece.rstrip(b"\n")
        if held.count(b"data: ") == 2:
            yield held + b"\n\n"
            held = b""
    if held:
        yield held + b"\n\n"


@bytewise("crlf", "lines that end in CR LF", "8.23")
async def crlf(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece.replace(b"\n", b"\r\n")


@bytewise("comments", "comment lines between events and inside them", "8.23")
async def comments(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield b": ping\n\n:\n" + piece


@bytewise("event-and-id-lines", "`event:`, `id:` and `retry:` lines", "8.23")
async def event_and_id_lines(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    number = 0
    async for piece in pieces:
        number += 1
        yield f"event: message\nid: {number}\nretry: 3000\n".encode() + piece


@bytewise("no-space", "`data:` without a space behind it", "8.23")
async def no_space(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece.replace(b"data: ", b"data:", 1)


@bytewise("multi-line-data", "events whose JSON is spread over several `data:` lines", "8.23")
async def multi_line_data(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    async for piece in pieces:
        payload = piece.removeprefix(b"data: ").rstrip(b"\n")
        if payload == b"[DONE]":
            yield piece
            continue
        pretty = orjson.dumps(orjson.loads(payload), option=orjson.OPT_INDENT_2)
        yield b"".join(b"data: " + line + b"\n" for line in pretty.split(b"\n")) + b"\n"


@bytewise("no-last-newline", "the last line has no newline behind it", "8.23")
async def no_last_newline(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    held = b""
    async for piece in pieces:
        if held:
            yield held
        held = piece
    yield held.rstrip(b"\n")


@bytewise("split-bytes", "every byte in a write of its own", "8.23")
async def split_bytes(pieces: AsyncIterator[bytes], _params: Params) -> AsyncIterator[bytes]:
    async for piece in pieces:
        for index in range(len(piece)):
            yield piece[index : index + 1]


@bytewise("clumped", "several events in one write", "8.23", size=8)
async def clumped(pieces: AsyncIterator[bytes], params: Params) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    async for piece in pieces:
        held.append(piece)
        if len(held) == params.count("size"):
            yield b"".join(held)
            held = []
    if held:
        yield b"".join(held)
