"""Runs scripts in Redis over one connection for each process, with pipelining: calls that wait
while the connection is busy are sent together.

redis-py's own pool costs a third of a millisecond a call and can lose a cancellation. So redis-py
only connects and reads answers here; a caller awaits a plain future, and calls are encoded here,
which is simple because all their words are ASCII.
"""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class _Call(NamedTuple):
    script: str
    words: str
    word_count: int
    answer: "asyncio.Future[Any]"


class ScriptLine:
    """For one event loop. A future fails if Redis does not answer within `timeout_s`, or what is
    there speaks something else; the next call connects again."""

    def __init__(self, url: str, scripts: Sequence[str], *, timeout_s: float) -> None:
        self._url = url
        # The beginning of a call, for each script: by its hash, or with its text where the server
        # does not let scripts be loaded.
        self._by_hash = {
            text: _packed(
                ("EVALSHA", hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
            )
            for text in scripts
        }
        self._with_text = {text: _packed(("EVAL", text)) for text in scripts}
        self._heads = self._by_hash
        self._timeout_s = timeout_s
        # How often it has connected: after a new connection the server may have restarted empty.
        self.connects = 0
        self._connection: AbstractConnection | None = None
        self._waiting: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None

    def run(
        self, script: str, names: Sequence[str], arguments: Sequence[str | int]
    ) -> "asyncio.Future[Any]":
        """Names and arguments must be ASCII."""
        loop = asyncio.get_running_loop()
        words = (len(names), *names, *arguments)
        call = _Call(script, _packed(words), len(words), loop.create_future())
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
            # Whatever it is: each of these futures has a request that waits for it.
            except Exception as error:
                failed, self._waiting = [*calls, *self._waiting], []
                await self._disconnect()
                for call in failed:
                    _give(call, error)
                return
            for call, answer in zip(calls, answers, strict=True):
                _give(call, answer)
            if any(isinstance(answer, ResponseError) for answer in answers):
                # Perhaps another server is at this address by the next call.
                await self._disconnect()

    async def _exchange(self, calls: list[_Call]) -> list[Any]:
        answers: list[Any] = [None] * len(calls)
        again = list(range(len(calls)))
        if self._connection is not None:
            try:
                answers = await self._ask(self._connection, calls)
                # The server lost the scripts, or became a replica and the master is elsewhere at
                # this address now. A script that is refused has written nothing.
                again = [n for n, answer in enumerate(answers) if isinstance(answer, ResponseError)]
            except (RedisConnectionError, OSError):
                # The idle connection was closed, as servers and firewalls do after a while. If the
                # scripts were executed anyway, a request is counted twice.
                pass
            if not again:
                return answers
            await self._disconnect()
        fresh = await self._ask(await self._connect(), [calls[n] for n in again])
        for n, answer in zip(again, fresh, strict=True):
            answers[n] = answer
        return answers

    async def _ask(self, connection: AbstractConnection, calls: list[_Call]) -> list[Any]:
        heads = self._heads
        commands = [f"*{2 + c.word_count}\r\n{heads[c.script]}{c.words}" for c in calls]
        await connection.send_packed_command("".join(commands).encode("ascii"))
        return [await _answer(connection) for _ in calls]

    async def _connect(self) -> AbstractConnection:
        options: dict[str, Any] = {**parse_url(self._url)}
        kind = options.pop("connection_class", Connection)
        self._connection = connection = kind(**options)
        await connection.connect()
        self._heads = self._by_hash if await self._load(connection) else self._with_text
        self.connects += 1
        return connection

    async def _load(self, connection: AbstractConnection) -> bool:
        """False where this account may not, or the command is renamed."""
        for text in self._by_hash:
            await connection.send_command("SCRIPT", "LOAD", text)
            if isinstance(await _answer(connection), ResponseError):
                return False
        return True

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


def _packed(words: Sequence[str | int]) -> str:
    """Words encoded in Redis's protocol."""
    return "".join([f"${len(text)}\r\n{text}\r\n" for text in map(str, words)])


async def _answer(connection: AbstractConnection) -> Any:
    try:
        # No timeout here: the whole exchange has one.
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def _give(call: _Call, answer: Any) -> None:
    if call.answer.done():
        return
    if isinstance(answer, Exception):
        call.answer.set_exception(answer)
        # Marks the exception as retrieved: a release does not wait for its answer.
        call.answer.exception()
    else:
        call.answer.set_result(answer)
