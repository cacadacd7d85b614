"""Clients that mean harm, in a process of their own: KIND URL KEY SECONDS are its arguments.

Each kind keeps its connections busy for so many seconds, and begins anew whenever one is closed. At
the end the process prints how often it was answered with which status; 0: without an answer.
"""

import asyncio
import itertools
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

CHAT: Final = "@cf/openai/gpt-oss-20b"
SEES: Final = "@cf/meta/llama-4-scout-17b-16e-instruct"


@dataclass
class Attack:
    host: str
    port: int
    key: str
    statuses: "Counter[int]" = field(default_factory=Counter)

    @asynccontextmanager
    async def connected(
        self, receive_buffer: int = 0
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (self.host, self.port))
        reader, writer = await asyncio.open_connection(sock=made)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def head(self, path: str, length: int) -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\nhost: {self.host}\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        ).encode()

    def chat(self, prompt: object, model: str = CHAT, **fields: object) -> bytes:
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}
        text = json.dumps(body).encode()
        return self.head("/v1/chat/completions", len(text)) + text

    async def answered(self, reader: asyncio.StreamReader) -> None:
        """Reads all of the answer."""
        line = await reader.readline()
        self.statuses[int(line.split()[1]) if line else 0] += 1
        while await reader.read(1 << 20):
            pass

    async def ask(self, request: bytes) -> None:
        request = request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        async with self.connected() as (reader, writer):
            writer.write(request)
            await self.answered(reader)


async def _drip(attack: Attack, beginning: bytes) -> None:
    async with attack.connected() as (reader, writer):
        writer.write(beginning)
        answered = asyncio.ensure_future(attack.answered(reader))
        try:
            while not answered.done():
                writer.write(b"a")
                await asyncio.wait([answered], timeout=1)
            await answered
        finally:
            answered.cancel()


async def slow_head(attack: Attack) -> None:
    await _drip(attack, b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\nx-slow: ")


async def slow_body(attack: Attack) -> None:
    await _drip(attack, attack.head("/v1/chat/completions", 100_000) + b'{"model":"')


async def no_reading(attack: Attack) -> None:
    async with attack.connected(receive_buffer=4096) as (reader, writer):
        # Or asyncio would read on the client's behalf.
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(attack.chat("Count to 900000", stream=True, max_tokens=100_000))
        while not writer.transport.is_closing():
            writer.write(b" ")
            await asyncio.sleep(1)
    attack.statuses[0] += 1


async def header_flood(attack: Attack) -> None:
    flood = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 50) for n in range(5_000))
    await attack.ask(b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\n" + flood + b"\r\n")


_BOMB: Final = b'{"model":"x","messages":[' + b"[]," * 10_000_000 + b"[]]}"


async def json_bomb(attack: Attack) -> None:
    await attack.ask(attack.head("/v1/chat/completions", len(_BOMB)) + _BOMB)


_HOSTS = itertools.count()


async def dns_silence(attack: Attack) -> None:
    pictures = [
        {"type": "image_url", "image_url": {"url": f"http://h{next(_HOSTS)}.slow.example/a.png"}}
        for _ in range(16)
    ]
    await attack.ask(attack.chat(pictures, SEES))


_TURN = itertools.count()


async def endless_upstream(attack: Attack) -> None:
    streamed = next(_TURN) % 2 == 0
    await attack.ask(attack.chat("Hi [simulate endless]", stream=streamed, max_tokens=1000))


# How many connections each has.
KINDS: Final[dict[str, tuple[Callable[[Attack], Awaitable[None]], int]]] = {
    "slow head": (slow_head, 200),
    "slow body": (slow_body, 100),
    "no reading": (no_reading, 50),
    "header flood": (header_flood, 8),
    "JSON bomb": (json_bomb, 2),
    "DNS silence": (dns_silence, 4),
    "endless upstream": (endless_upstream, 4),
}


async def attack_for(kind: str, url: str, key: str, seconds: float) -> "Counter[int]":
    once, connections = KINDS[kind]
    address = urlsplit(url)
    attack = Attack(str(address.hostname), int(address.port or 80), key)

    async def again() -> None:
        while True:
            try:
                await once(attack)
            except OSError:
                attack.statuses[0] += 1
                await asyncio.sleep(0.01)

    tasks = [asyncio.ensure_future(again()) for _ in range(connections)]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    for failure in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(failure, asyncio.CancelledError):
            raise failure
    return attack.statuses


if __name__ == "__main__":
    print(dict(asyncio.run(attack_for(*sys.argv[1:4], float(sys.argv[4])))))
