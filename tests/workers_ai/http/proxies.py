"""Proxies for tests: one that tunnels, or that refuses as it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.workers_ai.raw_server import listening

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class RunningProxy:
    """`answer` is what it says to every CONNECT; only behind a 200 it passes on what follows."""

    answer: bytes = ESTABLISHED
    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    def url(self, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.port}"


async def pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, head: bytes
) -> None:
    """Says `head` and carries bytes both ways, until either side ends."""
    there, back = await asyncio.open_connection(host, port)
    writer.write(head)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await source.read(65536):
                target.write(part)
                await target.drain()
        target.close()

    try:
        await asyncio.gather(copy(reader, back), copy(there, writer))
    finally:
        back.transport.abort()


@asynccontextmanager
async def proxy_answering(answer: bytes = ESTABLISHED) -> AsyncIterator[RunningProxy]:
    state = RunningProxy(answer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        state.heads.append(head)
        if not state.answer.startswith(b"HTTP/1.1 200"):
            writer.write(state.answer)
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        await pass_on(reader, writer, host.strip("[]"), int(port), state.answer)

    async with listening(serve) as port:
        state.port = port
        yield state
