"""A team's traffic at a gateway, and what each caller can swear to have got."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, SGLANG, chat_body, new_id
from tests.openai_api.images.test_images import PHOENIX

STEPS = 10
TILES = 2
PICTURE_NANO_USD = TILES * 5_800_000 + STEPS * 110_000
LONG_PROMPT = "Remember that this conversation has a long beginning. " * 40
PICTURE = {"model": PHOENIX, "prompt": "a cat", "size": "1024x512", "steps": STEPS}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}

# What may be asked, by name: path below /v1 and body.
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/chat/completions", chat_body("Say a b")),
    "long chat": ("/chat/completions", chat_body("90 words")),
    "cached chat": ("/chat/completions", chat_body(LONG_PROMPT, SGLANG)),
    "stream": ("/chat/completions", chat_body("30 words", **WITH_USAGE)),
    "cached stream": ("/chat/completions", chat_body(LONG_PROMPT, SGLANG, **WITH_USAGE)),
    "left stream": ("/chat/completions", chat_body("Count to 900", **WITH_USAGE)),
    "cut stream": ("/chat/completions", chat_body("Hi [simulate cut-stream]", **WITH_USAGE)),
    "picture": ("/images/generations", PICTURE),
    "pictures": ("/images/generations", {**PICTURE, "n": 3}),
    "no picture": ("/images/generations", {**PICTURE, "prompt": "a cat [simulate error-3030]"}),
    "refused above": ("/chat/completions", chat_body("Hi [simulate error-5006]")),
    "used up above": ("/chat/completions", chat_body("Hi [simulate error-4006]")),
    "wrong type": ("/chat/completions", chat_body(temperature="hot")),
    "wrong model": ("/chat/completions", chat_body(model=PHOENIX)),
    "cut chat": ("/chat/completions", chat_body("Hi [simulate drop]", OPENAI)),
}
MIXED_KINDS = tuple(REQUESTS)
REQUESTS["slow chat"] = (
    "/chat/completions",
    chat_body("Hi [simulate slow seconds=3]", max_tokens=1_000),
)
LEAVES_AFTER_EVENTS = 3


@dataclass
class Asked:
    """One request as its caller saw it. `status` 0: the connection broke before an answer."""

    request_id: str
    kind: str
    status: int = 0
    whole: bool = False
    code: str = ""
    usage: dict[str, Any] | None = None


@asynccontextmanager
async def callers(gateway: GatewayProcess, key: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=gateway.url + "/v1",
        headers={"authorization": f"Bearer {key}"},
        timeout=60,
        limits=httpx.Limits(max_connections=None),
    ) as client:
        yield client


async def ask(client: httpx.AsyncClient, kind: str) -> Asked:
    path, body = REQUESTS[kind]
    asked = Asked(new_id(), kind)
    try:
        async with client.stream(
            "POST", path, json=body, headers={"x-request-id": asked.request_id}
        ) as response:
            asked.status = response.status_code
            if body.get("stream") and response.status_code == 200:
                await _read_stream(response, asked)
            else:
                _take_answer(json.loads(await response.aread()), asked)
    except httpx.TransportError:
        asked.whole = False
    return asked


async def _read_stream(response: httpx.Response, asked: Asked) -> None:
    events = 0
    async for line in response.aiter_lines():
        if not line.startswith("data: "):
            continue
        events += 1
        if line == "data: [DONE]":
            asked.whole = True
        elif '"usage"' in line:
            asked.usage = json.loads(line[6:]).get("usage") or asked.usage
        if asked.kind == "left stream" and events == LEAVES_AFTER_EVENTS:
            return


def _take_answer(answer: dict[str, Any], asked: Asked) -> None:
    asked.whole = True
    asked.usage = answer.get("usage")
    asked.code = answer.get("error", {}).get("code") or ""


async def ask_all(client: httpx.AsyncClient, kinds: Sequence[str], at_once: int) -> list[Asked]:
    room = asyncio.Semaphore(at_once)

    async def one(kind: str) -> Asked:
        async with room:
            return await ask(client, kind)

    return await asyncio.gather(*(one(kind) for kind in kinds))


class Load:
    """Callers who ask again and again, until they are told to stop."""

    KINDS = ("chat", "stream", "picture", "left stream", "refused above", "long chat")

    def __init__(self, *callers_of: tuple[httpx.AsyncClient, int]) -> None:
        """Of each client so many callers."""
        self.asked: list[Asked] = []
        self._over = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._one(client, number))
            for client, count in callers_of
            for number in range(count)
        ]

    def join(self, client: httpx.AsyncClient) -> None:
        """One caller more."""
        self._tasks.append(asyncio.create_task(self._one(client, 0)))

    async def _one(self, client: httpx.AsyncClient, number: int) -> None:
        turn = number
        while not self._over.is_set():
            asked = await ask(client, self.KINDS[turn % len(self.KINDS)])
            self.asked.append(asked)
            turn += 1
            if asked.status in (0, 503):
                # As clients do; the machine's cores are for the gateway.
                await asyncio.sleep(0.3)

    async def until(self, happened: Callable[[list[Asked]], bool], what: str) -> None:
        begun = len(self.asked)
        try:
            async with asyncio.timeout(30):
                while not happened(self.asked[begun:]):  # noqa: ASYNC110 (many tasks move it)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{what}: not within 30 s, {self.statuses}") from None

    async def until_whole(self, count: int) -> None:
        await self.until(
            lambda asked: sum(one.whole and one.status == 200 for one in asked) >= count,
            f"{count} whole answers",
        )

    async def __aenter__(self) -> "Load":
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(asked.status for asked in self.asked)
