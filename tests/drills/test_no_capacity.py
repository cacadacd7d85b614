"""A model that has no capacity for half a minute under load: with fallbacks nobody notices, without
them clients get the error that there is."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import pytest
from django.core.management import call_command

from keys.models import RequestLog
from tests.gateway import GatewayProcess, running_gateway
from tests.keys.load import callers
from tests.openai_api.chats import OPENAI, VLLM, chat_body
from workers_ai.simulator.serve import running_simulator

CALLERS: Final = 16
# Before, while and after there is none.
PHASES_S: Final = (5, 30, 5)
ALIAS: Final = "smart"

# Status, and the error's code.
Outcome = tuple[int, str]


async def load(gateway: GatewayProcess, model: str) -> Counter[Outcome]:
    """Whole and streamed chats, one after the other for each caller."""
    outcomes: Counter[Outcome] = Counter()
    until = time.monotonic() + sum(PHASES_S)
    async with callers(gateway, gateway.issue_key(model)) as client:

        async def keep_asking(caller: int) -> None:
            while time.monotonic() < until:
                body = chat_body("Say a", model, stream=caller % 2 == 0)
                answer = await client.post("/chat/completions", json=body, timeout=60)
                error = answer.json()["error"]["code"] if answer.status_code != 200 else ""
                whole = error or not body["stream"] or "[DONE]" in answer.text
                outcomes[answer.status_code if whole else 0, error] += 1

        await asyncio.gather(*(keep_asking(caller) for caller in range(CALLERS)))
    return outcomes


async def test_with_fallbacks_nobody_notices(
    tmp_path: Path, django_db_blocker: pytest.FixtureRequest, tell: Callable[[str], None]
) -> None:
    with (
        running_simulator(speed=100) as upstream,
        django_db_blocker.unblock(),  # type: ignore[attr-defined]
        running_gateway(tmp_path / "gateway", upstream) as gateway,
    ):
        gateway.database(lambda: call_command("alias_model", ALIAS, OPENAI, VLLM))
        await asyncio.to_thread(gateway.wait_until, lambda: knows(gateway, ALIAS), "the alias")
        for model in (ALIAS, OPENAI):

            async def without_capacity() -> None:
                await asyncio.sleep(PHASES_S[0])
                upstream.set_scenario("error-3040", path=f"chat/{OPENAI}")
                await asyncio.sleep(PHASES_S[1])
                upstream.reset()

            outcomes, _ = await asyncio.gather(load(gateway, model), without_capacity())
            rows = gateway.rows(requested_model=model)
            answered = Counter((row.model, row.status) for row in rows)
            tell(f"{model}: {dict(outcomes)}; rows: {dict(answered)}")
            assert sum(outcomes.values()) == len(rows)
            if model == ALIAS:
                assert set(outcomes) == {(200, "")}
                assert {name for name, _ in answered} == {OPENAI, VLLM}
            else:
                assert set(outcomes) == {(200, ""), (429, "rate_limit_exceeded")}
                assert {name for name, _ in answered} == {OPENAI}
            assert_prices(rows)
        checked = gateway.manage("check_ledger", check=False)
        assert checked.returncode == 0, checked.stdout


def knows(gateway: GatewayProcess, name: str) -> bool:
    headers = {"authorization": f"Bearer {gateway.issue_key('asks')}"}
    return httpx.get(f"{gateway.url}/v1/models/{name}", headers=headers).is_success


def assert_prices(rows: list[RequestLog]) -> None:
    """Each answer has the price of the model that gave it, and a failure costs nothing."""
    prices = {(row.model, str(row.price)) for row in rows if row.status == 200}
    assert len(prices) == len({model for model, _ in prices})
    assert len({price for _, price in prices}) == len(prices)
    for row in rows:
        assert bool(row.cost_nano_usd) is (row.status == 200)
