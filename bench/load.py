"""The load generator: chat requests over raw connections, counted within one window of time.

Closed loop: a number of clients, each of which sends its next request once it has its answer. Open
loop: requests at a fixed rate, however many are still unanswered. Prints one JSON object. Reads the
CPU time of the server's whole process tree at the beginning and end of the same window.
"""

import argparse
import array
import asyncio
import gc
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench.bodies import agent_body, chat_body, image_body, request_bytes
from bench.processes import cpu_s, rss_mib

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_LAST = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)


@dataclass(slots=True)
class Window:
    """What happened between two points in time; before and after nothing is counted."""

    opens: float
    closes: float
    stream: bool
    latencies_s: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    first_chunks_s: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    gaps_s: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    transits_s: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    chunks: int = 0
    reads: int = 0
    errors: "Counter[str]" = field(default_factory=Counter)

    def covers(self, moment: float) -> bool:
        return self.opens <= moment <= self.closes

    def ended(self, outcome: str, sent: float, first_chunk: float | None) -> None:
        now = time.monotonic()
        if not self.covers(now):
            return
        if outcome:
            self.errors[outcome] += 1
            return
        self.latencies_s.append(now - sent)
        if first_chunk is not None:
            self.first_chunks_s.append(first_chunk - sent)


class ClientConnection(asyncio.Protocol):
    """One connection of one client. The result of `ask` is "" or what went wrong."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._transport: asyncio.Transport | None = None
        self._asked: asyncio.Future[str] | None = None
        self._is_last = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._finish("closed")

    @property
    def is_open(self) -> bool:
        if self._transport is None or self._is_last:
            return False
        return not self._transport.is_closing()

    def ask(self, request: bytes) -> "asyncio.Future[str]":
        assert self._transport is not None
        self._head = b""
        self._in_body = False
        self._left: int | None = None
        self._tail = b""
        self._saw_done = False
        self.first_chunk: float | None = None
        self._last_chunk = 0.0
        self._asked = asyncio.get_running_loop().create_future()
        self.sent = time.monotonic()
        self._transport.write(request)
        return self._asked

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, outcome: str) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(outcome)

    def data_received(self, data: bytes) -> None:
        if self._asked is None or self._asked.done():
            return
        if not self._in_body:
            self._head += data
            head_end = self._head.find(b"\r\n\r\n")
            if head_end < 0:
                return
            data = self._head[head_end + 4 :]
            self._begin_body(self._head[:head_end])
        self._take_body(data)

    def _begin_body(self, head: bytes) -> None:
        self._in_body = True
        self._status = int(head[9:12])
        self._is_last = _LAST.search(head) is not None
        length = _LENGTH.search(head)
        self._left = int(length[1]) if length else None
        if length is None and not _CHUNKED.search(head):
            self._finish("unframed")

    def _take_body(self, data: bytes) -> None:
        failure = "" if self._status == 200 else f"HTTP {self._status}"
        if self._window.stream and not failure:
            self._count_chunks(data)
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self._finish(failure or ("not streamed" if self._window.stream else ""))
            return
        tail = self._tail + data
        self._saw_done = self._saw_done or b"data: [DONE]" in tail
        if tail.endswith(b"0\r\n\r\n"):
            cut = self._window.stream and not self._saw_done and not failure
            self._finish("no [DONE]" if cut else failure)
        self._tail = tail[-64:]

    def _count_chunks(self, data: bytes) -> None:
        chunks = data.count(b"\n\n")
        if not chunks:
            return
        window, now = self._window, time.monotonic()
        if self.first_chunk is None:
            self.first_chunk = now
        elif window.covers(now):
            window.gaps_s.append(now - self._last_chunk)
        self._last_chunk = now
        if window.covers(now):
            window.chunks += chunks
            window.reads += 1
            clock = data.find(b"ts=")  # of the oldest chunk of this read
            end = data.find(b";", clock)
            if 0 <= clock < end:
                window.transits_s.append(now - float(data[clock + 3 : end]))


class Load:
    """Clients of one server. `timeout_s` is the longest that one of them waits."""

    def __init__(self, url: str, request: bytes, window: Window, timeout_s: float) -> None:
        self._address = urlsplit(url)
        self._request = request
        self._window = window
        self._timeout_s = timeout_s
        self._free: list[ClientConnection] = []

    async def once(self, connection: ClientConnection | None) -> ClientConnection | None:
        """One request; the connection for the next one."""
        if connection is None or not connection.is_open:
            loop = asyncio.get_running_loop()
            try:
                _, connection = await loop.create_connection(
                    lambda: ClientConnection(self._window),
                    self._address.hostname,
                    self._address.port,
                )
            except OSError as error:
                self._window.errors[type(error).__name__] += 1
                await asyncio.sleep(0.05)
                return None
        try:
            async with asyncio.timeout(self._timeout_s):
                outcome = await connection.ask(self._request)
        except TimeoutError:
            outcome = "timeout"
        if outcome:
            connection.close()
        self._window.ended(outcome, connection.sent, connection.first_chunk)
        return connection

    async def client(self, starts_after_s: float) -> None:
        await asyncio.sleep(starts_after_s)
        connection: ClientConnection | None = None
        while time.monotonic() < self._window.closes:
            connection = await self.once(connection)
        if connection is not None:
            connection.close()

    async def clock(self, rate_per_s: float, first: float) -> None:
        """Starts a request whenever one is due."""
        running: set[asyncio.Task[None]] = set()
        number = 0
        while (due := first + number / rate_per_s) < self._window.closes:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._once_on_a_free_connection())
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        if running:
            await asyncio.wait(running)

    async def _once_on_a_free_connection(self) -> None:
        connection = await self.once(self._free.pop() if self._free else None)
        if connection is not None:
            self._free.append(connection)


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.image:
        body = image_body(arguments.image)
    elif arguments.agent:
        body = agent_body(arguments.model)
    else:
        body = chat_body(arguments.model, stream=arguments.stream, body_bytes=arguments.body_bytes)
    started = time.monotonic()
    opens = started + arguments.ramp + arguments.warm
    window = Window(opens, opens + arguments.seconds, arguments.stream)
    request = request_bytes(arguments.url, arguments.header, body)
    load = Load(arguments.url, request, window, arguments.timeout)
    if arguments.rate:
        tasks = [asyncio.create_task(load.clock(arguments.rate, started))]
    else:
        tasks = [
            asyncio.create_task(load.client(arguments.ramp * n / arguments.clients))
            for n in range(arguments.clients)
        ]
    await asyncio.sleep(max(0.0, window.opens - time.monotonic()))
    before = _readings(arguments)
    await asyncio.sleep(max(0.0, window.closes - time.monotonic()))
    after = _readings(arguments)
    memory_mib = rss_mib(*arguments.server_pid) if arguments.server_pid else None
    for task in tasks:  # what is unfinished is counted up to here
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return summary(window, before, after, memory_mib)


def _readings(arguments: argparse.Namespace) -> dict[str, float]:
    readings = {"clock": time.monotonic(), "load": time.process_time()}
    if arguments.server_pid:
        readings["server"] = cpu_s(*arguments.server_pid) - cpu_s(*arguments.apart_pid)
    if arguments.mock_pid:
        readings["mock"] = cpu_s(arguments.mock_pid)
    return readings


def summary(
    window: Window, before: dict[str, float], after: dict[str, float], memory_mib: float | None
) -> dict[str, Any]:
    used = {name: after[name] - before[name] for name in before}
    seconds = used.pop("clock")
    requests = len(window.latencies_s)
    found: dict[str, Any] = {
        "seconds": round(seconds, 3),
        "requests": requests,
        "requests_per_s": round(requests / seconds, 1),
        "errors": dict(window.errors),
        "latency_ms": quantiles_ms(window.latencies_s),
        "cores_used": {name: round(cpu / seconds, 3) for name, cpu in used.items()},
    }
    if memory_mib is not None:
        found["rss_mib"] = round(memory_mib, 1)
    if window.stream:
        found |= {
            "chunks": window.chunks,
            "chunks_per_s": round(window.chunks / seconds, 1),
            "chunks_per_read": round(window.chunks / max(1, window.reads), 2),
            "first_chunk_ms": quantiles_ms(window.first_chunks_s),
            "gap_ms": quantiles_ms(window.gaps_s),
            "transit_ms": quantiles_ms(window.transits_s),
        }
        if "server" in used and window.chunks:
            found["cpu_us_per_chunk"] = round(used["server"] / window.chunks * 1e6, 2)
    elif "server" in used and requests:
        found["cpu_ms_per_request"] = round(used["server"] / requests * 1e3, 4)
    return found


def quantiles_ms(values_s: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values_s)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {
        name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3, 3)
        for name, share in shares.items()
    }


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    options.add_argument("--url", required=True)
    options.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'")
    options.add_argument("--model", default="")
    options.add_argument("--image", default="", metavar="MODEL", help="ask for a picture instead")
    options.add_argument("--stream", action="store_true")
    options.add_argument("--body-bytes", type=int, default=0, help="length of the request's body")
    options.add_argument("--agent", action="store_true", help="send a coding agent's requests")
    options.add_argument("--clients", type=int, default=1, help="clients in a closed loop")
    options.add_argument("--rate", type=float, default=0, help="requests a second instead")
    options.add_argument("--seconds", type=float, default=4, help="length of the window")
    options.add_argument("--warm", type=float, default=0.5, help="seconds before the window")
    options.add_argument("--ramp", type=float, default=0, help="seconds to start all clients")
    options.add_argument("--timeout", type=float, default=60)
    options.add_argument("--server-pid", type=int, nargs="*", default=[], help="all that serve")
    options.add_argument("--apart-pid", type=int, nargs="*", default=[], help="not to be counted")
    options.add_argument("--mock-pid", type=int, default=0)
    return options


def main() -> None:
    arguments = parser().parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    print(json.dumps(uvloop.run(run(arguments))), flush=True)


if __name__ == "__main__":
    main()
