"""Measures what a call costs over the gateway's own HTTP client, and over httpx.

`python -m bench.http_client`. Both ask the mock upstream, which runs on another core, over one
keep-alive connection for whole answers and over 50 for streams of a chunk each 20 ms. Prints CPU
microseconds of this process, user and system, for a request and for a chunk, the median of rounds.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import uvloop

from bench.bodies import chat_body
from bench.mock_upstream import API_PATH, model_name
from bench.processes import end, free_port, start, wait_until_listening
from workers_ai.http.connection import header_lines
from workers_ai.http.pool import ConnectionPool

PATH = f"{API_PATH}/v1/chat/completions"
REQUESTS = 3000
STREAMS = 50
CHUNKS = 200
HEADERS = {"authorization": "Bearer bench", "content-type": "application/json"}
WHOLE = chat_body(model_name(100, 0), stream=False)
STREAMED = chat_body(model_name(CHUNKS, 20), stream=True)


async def ours_whole(url: str) -> None:
    pool = _pool(url)
    for _ in range(REQUESTS):
        response = await pool.request(b"POST", PATH.encode(), _headers(url), WHOLE)
        while await response.read():
            pass
    await pool.aclose()


async def ours_streamed(url: str) -> None:
    pool = _pool(url)

    async def one() -> None:
        response = await pool.request(b"POST", PATH.encode(), _headers(url), STREAMED)
        await response.deliver(lambda data: None)

    await asyncio.gather(*(one() for _ in range(STREAMS)))
    await pool.aclose()


def _pool(url: str) -> ConnectionPool:
    return ConnectionPool(httpx.URL(url), max_connections=100, connect_s=10, pool_s=10)


def _headers(url: str) -> bytes:
    host = [(b"host", httpx.URL(url).netloc)]
    return header_lines(host + [(name.encode(), value.encode()) for name, value in HEADERS.items()])


async def httpx_whole(url: str) -> None:
    async with httpx.AsyncClient(headers=HEADERS, timeout=10) as client:
        for _ in range(REQUESTS):
            await client.post(url + PATH, content=WHOLE)


async def httpx_streamed(url: str) -> None:
    limits = httpx.Limits(max_connections=100)

    async def one(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", url + PATH, content=STREAMED) as response:
            async for _ in response.aiter_raw():
                pass

    async with httpx.AsyncClient(headers=HEADERS, timeout=10, limits=limits) as client:
        await asyncio.gather(*(one(client) for _ in range(STREAMS)))


def cpu_us(measured: Callable[[str], Awaitable[None]], url: str, units: int) -> float:
    async def run() -> float:
        began_s = time.process_time()
        await measured(url)
        return (time.process_time() - began_s) / units * 1e6

    return uvloop.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.http_client", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--upstream-core", type=int, default=1)
    arguments = parser.parse_args()
    runs = {
        "request, ours": (ours_whole, REQUESTS),
        "request, httpx": (httpx_whole, REQUESTS),
        "chunk, ours": (ours_streamed, STREAMS * CHUNKS),
        "chunk, httpx": (httpx_streamed, STREAMS * CHUNKS),
    }
    found: dict[str, list[float]] = {name: [] for name in runs}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "mock.log"
        command = [*(sys.executable, "-m", "bench.mock_upstream", "--port", str(port))]
        mock = start(command, core=arguments.upstream_core, log_path=log)
        try:
            wait_until_listening(url, mock, log)
            for _ in range(arguments.rounds):
                for name, (measured, units) in runs.items():
                    found[name].append(cpu_us(measured, url, units))
        finally:
            end(mock)
    for name, figures in found.items():
        print(f"{name}: {statistics.median(figures):.1f} µs of CPU")


if __name__ == "__main__":
    main()
