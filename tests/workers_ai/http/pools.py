"""What the tests of connections share: a pool against a raw server, and asking through it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from tests.workers_ai.raw_server import Answer, RawServer, response
from workers_ai.http.connection import header_lines
from workers_ai.http.decoded import AnyResponse
from workers_ai.http.pool import ConnectionPool
from workers_ai.http.proxy import Proxy

FINE = response("200 OK", b'{"answer": 1}')
HEADERS = header_lines([(b"host", b"upstream")])


@asynccontextmanager
async def pool_of(
    server: RawServer | str,
    *,
    max_connections: int = 10,
    connect_s: float = 20,
    pool_s: float = 20,
    proxy: Proxy | None = None,
) -> AsyncIterator[ConnectionPool]:
    url = server if isinstance(server, str) else server.url
    made = ConnectionPool(
        httpx.URL(url),
        max_connections=max_connections,
        connect_s=connect_s,
        pool_s=pool_s,
        proxy=proxy,
    )
    try:
        yield made
    finally:
        await made.aclose()


async def asked(
    pool: ConnectionPool, content: bytes = b"{}", *, caller: str = "one"
) -> AnyResponse:
    return await pool.request(b"POST", b"/", HEADERS, content, caller=caller)


async def whole(response: AnyResponse) -> bytes:
    parts = []
    while part := await response.read():
        parts.append(part)
    return b"".join(parts)


def writing(*answers: bytes) -> tuple[Answer, list[asyncio.StreamWriter]]:
    """A server that answers with these in turn, then with the last; and its connections so far."""
    left, connections = list(answers), []

    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        if writer not in connections:
            connections.append(writer)
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer, connections


async def until(holds: Callable[[], bool]) -> None:
    """Lets the loop turn until something holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  nothing sets an event
            await asyncio.sleep(0.001)
