"""What the tests of the client share: clients of a simulator or a raw server, and requests."""

import asyncio
from typing import Any

import orjson

from tests.workers_ai.raw_server import Answer, RawServer
from workers_ai.caller import Caller
from workers_ai.client import Account, WorkersAIClient
from workers_ai.retry import RetryPolicy
from workers_ai.silence import Timeouts
from workers_ai.simulator.serve import RunningSimulator

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
TOKEN = "a-token-that-must-never-be-seen"
SHORT = Timeouts(connect_s=0.5, pool_s=0.5, first_byte_s=0.3, idle_s=0.5)
QUICK = RetryPolicy(retries=2, budget_s=5, first_delay_s=0.01, longest_delay_s=0.05)
NO_RETRY = RetryPolicy(retries=0)
ONE = Caller("one")


class Client(WorkersAIClient):
    """A client that closes with its block, of one caller unless a test says otherwise."""

    async def chat(self, payload: bytes, *, caller: Caller = ONE, **options: Any) -> Any:
        return await super().chat(payload, caller=caller, **options)

    async def run(self, model: str, payload: bytes, *, caller: Caller = ONE, **options: Any) -> Any:
        return await super().run(model, payload, caller=caller, **options)

    async def run_for_bytes(self, model: str, payload: bytes, *, caller: Caller = ONE) -> Any:
        return await super().run_for_bytes(model, payload, caller=caller)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def of_simulator(upstream: RunningSimulator, *, ai_gateway: str = "", **options: Any) -> Client:
    options.setdefault("retry", QUICK)
    return Client(
        Account(upstream.account_id, upstream.api_token, upstream.base_url, ai_gateway), **options
    )


def of_server(server: RawServer, **options: Any) -> Client:
    options.setdefault("retry", QUICK)
    return Client(Account("account", TOKEN, server.url), **options)


def chat(text: str = "Say hello", **fields: Any) -> bytes:
    return orjson.dumps({"model": MODEL, "messages": [{"role": "user", "content": text}], **fields})


def answering(*answers: bytes) -> Answer:
    """Sends these one after the other, the last one for ever."""
    left = list(answers)

    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer
