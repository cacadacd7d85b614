"""What becomes of requests that wait for the account's rate: their client leaves, their key or its
budget ends, Redis goes and comes back, the gateway stops."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest

from keys.models import RequestLog
from tests.gateway import GatewayProcess, running_gateway
from tests.keys.engines import RedisServer, redis_server
from tests.keys.load import callers
from tests.openai_api.chats import chat_body, new_id
from workers_ai.simulator.serve import running_simulator

PER_MINUTE: Final = 6
# One for each drill, so that none waits for another's minute.
MODELS: Final = (
    "@cf/openai/gpt-oss-20b",
    "@cf/qwen/qwen3-30b-a3b-fp8",
    "@cf/google/gemma-4-26b-a4b-it",
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
)
WAITING: Final = 200

Answer = tuple[int, float]


@pytest.fixture
async def running(
    tmp_path: Path, django_db_blocker: pytest.FixtureRequest
) -> AsyncIterator[tuple[GatewayProcess, RedisServer]]:
    with ExitStack() as stack:
        upstream = stack.enter_context(running_simulator(speed=100))
        redis = stack.enter_context(redis_server())
        stack.enter_context(django_db_blocker.unblock())  # type: ignore[attr-defined]
        gateway = stack.enter_context(
            running_gateway(
                tmp_path / "gateway",
                upstream,
                WEB_CONCURRENCY="2",
                REDIS_URL=redis.url,
                ACCOUNT_QUEUE_WAIT="120",
                ACCOUNT_RATES=",".join(f"{model}={PER_MINUTE}" for model in MODELS),
            )
        )
        yield gateway, redis


async def ask(client: httpx.AsyncClient, model: str, request_id: str = "") -> Answer:
    """Status, 0 where it was cut off, and seconds."""
    begun = time.monotonic()
    headers = {"x-request-id": request_id or new_id()}
    try:
        body = chat_body("Say a", model)
        answer = await client.post("/chat/completions", json=body, headers=headers, timeout=180)
    except httpx.TransportError:
        return 0, time.monotonic() - begun
    return answer.status_code, time.monotonic() - begun


async def fill(client: httpx.AsyncClient, model: str) -> None:
    answers = await asyncio.gather(*(ask(client, model) for _ in range(PER_MINUTE)))
    assert {status for status, _ in answers} == {200}


async def row_of(gateway: GatewayProcess, request_id: str) -> RequestLog:
    return await asyncio.to_thread(gateway.row, request_id)


async def test_who_leaves_or_ends_while_it_waits(
    running: tuple[GatewayProcess, RedisServer], tell: Callable[[str], None]
) -> None:
    gateway, redis = running
    usual = gateway.issue_key("usual")
    revoked, revoked_secret = gateway.issue("revoked")
    # Two of what a chat sets aside.
    poor = gateway.issue_key("poor", daily_budget_nano_usd=3_000_000)
    first, second, third, _ = MODELS
    async with (
        callers(gateway, usual) as client,
        callers(gateway, revoked_secret) as ending,
        callers(gateway, poor) as spending,
    ):
        await asyncio.gather(*(fill(client, model) for model in (first, second, third)))
        left, stopped = new_id(), new_id()
        leaving = asyncio.create_task(ask(client, first, left))
        waiting = asyncio.create_task(ask(ending, first, stopped))
        spends = [asyncio.create_task(ask(spending, second)) for _ in range(12)]
        around = [asyncio.create_task(ask(client, third)) for _ in range(4)]
        await asyncio.sleep(1)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        row = await row_of(gateway, left)
        assert (row.end_reason, row.cost_nano_usd or 0) == ("client_gone", 0)
        begun = time.monotonic()
        await asyncio.to_thread(gateway.manage, "revoke_key", str(revoked.pk))
        status, _ = await waiting
        tell(f"revoked while waiting: {status} after {time.monotonic() - begun:.1f} s")
        assert status == 401
        row = await row_of(gateway, stopped)
        assert (row.end_reason, row.cost_nano_usd or 0) == ("key_revoked", 0)
        redis.stop()
        await asyncio.sleep(5)
        redis.start()
        statuses = Counter(status for status, _ in await asyncio.gather(*spends))
        tell(f"budget for some of twelve: {dict(statuses)}")
        assert set(statuses) == {200, 429}
        assert statuses[200] <= PER_MINUTE
        answers = await asyncio.gather(*around)
        tell(f"Redis gone for 5 s: {[(status, round(s)) for status, s in answers]}")
        assert {status for status, _ in answers} == {200}
    checked = gateway.manage("check_ledger", check=False)
    assert checked.returncode == 0, checked.stdout


async def test_a_gateway_that_stops_lets_nobody_wait(
    running: tuple[GatewayProcess, RedisServer], tell: Callable[[str], None]
) -> None:
    gateway, _ = running
    async with callers(gateway, gateway.issue_key("usual")) as client:
        await fill(client, MODELS[0])
        waiting = [asyncio.create_task(ask(client, MODELS[0])) for _ in range(WAITING)]
        await asyncio.sleep(5)
        assert not any(task.done() for task in waiting)
        begun = time.monotonic()
        gateway.terminate()
        await asyncio.to_thread(gateway.wait)
        took_s = time.monotonic() - begun
        statuses = Counter(status for status, _ in await asyncio.gather(*waiting))
    tell(f"{WAITING} waiting: stopped within {took_s:.1f} s, {dict(statuses)}")
    assert took_s < 20
    assert set(statuses) == {503}
    rows = gateway.rows(end_reason="server_stopped")
    assert len(rows) == WAITING
    assert not any(row.cost_nano_usd for row in rows)
    checked = gateway.manage("check_ledger", check=False)
    assert checked.returncode == 0, checked.stdout
