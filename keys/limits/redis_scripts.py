"""Scripts run in Redis over one connection a process: what waits when the connection is free goes
out together, and comes back in order.

redis-py's own client costs a third of a millisecond a call in its pool, and can lose a
cancellation there; here the caller awaits a plain future. It connects, and reads what comes back;
what goes out is written here, where all words are known to be plain.
"""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError


class _Call(NamedTuple):
    command: bytes
    answer: "asyncio.Future[Any]"


class ScriptLine:
    """Use it from one event loop. Answers are RedisError, OSError or TimeoutError when Redis does
    not give any within `timeout_s`; the next call connects again."""

    def __init__(self, url: str, scripts: Sequence[str], *, timeout_s: float) -> None:
        self._url = url
        # How a call of each begins.
        self._heads = {
            text: _packed(
                ("EVALSHA", hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
            )
            for text in scripts
        }
        self._timeout_s = timeout_s
        # How often it has connected: after each time the server may have forgotten everything.
        self.connects = 0
        self._connection: AbstractConnection | None = None
        self._waiting: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None

    def run(
        self, script: str, names: Sequence[str], arguments: Sequence[str | int]
    ) -> "asyncio.Future[Any]":
        """Names and arguments are ASCII."""
        loop = asyncio.get_running_loop()
        words = (len(names), *names, *arguments)
        command = f"*{2 + len(words)}\r\n{self._heads[script]}{_packed(words)}".encode("ascii")
        call = _Call(command, loop.create_future())
        self._waiting.append(call)
        if self._sender is None or self._sender.done():
            self._sender = loop.create_task(self._send_waiting())
        return call.answer

    async def close(self) -> None:
        if self._sender is not None and not self._sender.done():
            await asyncio.wait([self._sender], timeout=self._timeout_s)
        await self._disconnect()

    async def _send_waiting(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting, []
            try:
                async with asyncio.timeout(self._timeout_s):
                    answers = await self._exchange(calls)
            except (RedisError, OSError, TimeoutError) as error:
                failed, self._waiting = [*calls, *self._waiting], []
                await self._disconnect()
                for call in failed:
                    _give(call, error)
                return
            for call, answer in zip(calls, answers, strict=True):
                _give(call, answer)
            if any(isinstance(answer, NoScriptError) for answer in answers):
                # Somebody emptied the script cache; a new connection loads them again.
                await self._disconnect()

    async def _exchange(self, calls: list[_Call]) -> list[Any]:
        if self._connection is not None:
            try:
                return await self._ask(self._connection, calls)
            except (RedisConnectionError, OSError):
                # Closed while it rested, as a server or a firewall does after a while. Should the
                # scripts have run all the same, a request counts twice.
                await self._disconnect()
        return await self._ask(await self._connect(), calls)

    async def _ask(self, connection: AbstractConnection, calls: list[_Call]) -> list[Any]:
        await connection.send_packed_command(b"".join([call.command for call in calls]))
        return [await _answer(connection) for _ in calls]

    async def _connect(self) -> AbstractConnection:
        options: dict[str, Any] = {**parse_url(self._url)}
        kind = options.pop("connection_class", Connection)
        self._connection = connection = kind(**options)
        await connection.connect()
        for text in self._heads:
            await connection.send_command("SCRIPT", "LOAD", text)
            await connection.read_response()
        self.connects += 1
        return connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


def _packed(words: Sequence[str | int]) -> str:
    """As Redis's protocol has them, which is all that redis-py's own packing comes to here."""
    return "".join([f"${len(text)}\r\n{text}\r\n" for text in map(str, words)])


async def _answer(connection: AbstractConnection) -> Any:
    try:
        # Without a time limit of its own: the whole exchange has one.
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def _give(call: _Call, answer: Any) -> None:
    if call.answer.done():
        return
    if isinstance(answer, Exception):
        call.answer.set_exception(answer)
        # Whoever does not wait for the answer, such as a release, need not hear of it.
        call.answer.exception()
    else:
        call.answer.set_result(answer)
