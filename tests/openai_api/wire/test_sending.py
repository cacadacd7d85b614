"""A `send` that is begun in a callback and awaited by somebody else, if at all."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from openai_api.wire.http_response import EventStreamResponse
from openai_api.wire.sending import begun


async def test_what_need_not_wait_is_done_at_once() -> None:
    sent: list[str] = []

    async def send() -> None:
        sent.append("whole")

    assert begun(send()) is None
    assert sent == ["whole"]


async def test_the_rest_is_sent_by_who_awaits_it() -> None:
    sent: list[str] = []
    writable = asyncio.Event()

    async def send() -> None:
        sent.append("half")
        await writable.wait()
        await asyncio.sleep(0)
        sent.append("rest")

    rest = begun(send())
    assert rest is not None
    assert sent == ["half"]
    waiting = asyncio.ensure_future(rest)
    await asyncio.sleep(0)
    assert sent == ["half"]
    writable.set()
    await waiting
    assert sent == ["half", "rest"]


async def test_what_it_raises_comes_to_who_awaits_it() -> None:
    async def send() -> None:
        await asyncio.sleep(0)
        raise ConnectionResetError

    rest = begun(send())
    assert rest is not None
    with pytest.raises(ConnectionResetError):
        await rest


async def test_a_cancel_reaches_it() -> None:
    ended: list[str] = []

    async def send() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    rest = begun(send())
    assert rest is not None
    waiting = asyncio.ensure_future(rest)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["cleaned up"]


async def test_what_it_raises_at_once_is_raised_at_once() -> None:
    async def send() -> None:
        raise RuntimeError("sent already")

    with pytest.raises(RuntimeError, match="sent already"):
        begun(send())


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_stream_ends_with_its_last_block_where_that_is_known(is_told: bool) -> None:
    sent: list[tuple[bytes, bool]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append((message["body"], message.get("more_body", False)))

    async def blocks() -> AsyncIterator[bytes]:
        yield b"first"
        response.is_last = is_told
        yield b"last"

    response = EventStreamResponse(blocks(), key_id=1)
    await response.send_blocks(send)
    ending = [(b"last", False)] if is_told else [(b"last", True), (b"", False)]
    assert sent == [(b"first", True), *ending]
