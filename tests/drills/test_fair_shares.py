"""Six keys share an account's rate for minutes, one of them asking twenty times as fast as each of
the others: with one worker, with three and Redis, and with one of the three killed in the middle.

DRILL_MINUTES sets how long, 10 by default. Two models at once: of one the slow keys ask less than
their share, of the other more.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.gateway import GatewayProcess, running_gateway
from tests.keys.engines import redis_server
from tests.keys.load import callers
from tests.openai_api.chats import chat_body
from workers_ai.simulator.serve import RunningSimulator, running_simulator

MINUTES: Final = float(os.environ.get("DRILL_MINUTES", "10"))
PER_MINUTE: Final = 20
# Requests a minute of each slow key, by model.
MODELS: Final = {"@cf/openai/gpt-oss-20b": 2, "@cf/qwen/qwen3-30b-a3b-fp8": 10}
GREEDY_TIMES: Final = 20
SLOW: Final = 5
WITHIN: Final = 0.05


class Load:
    """Keys that ask at their own pace, whatever the answers are."""

    def __init__(self) -> None:
        self.served: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[tuple[str, int]] = Counter()
        # Of slow keys: neither answered nor cut by a worker's death.
        self.asked: Counter[tuple[str, str]] = Counter()
        self._until = time.monotonic() + MINUTES * 60
        self._running: set[asyncio.Task[None]] = set()

    async def key(self, gateway: GatewayProcess, name: str, secret: str) -> None:
        async with callers(gateway, secret) as client:

            async def ask(model: str) -> None:
                body = chat_body("Say a", model)
                try:
                    response = await client.post("/chat/completions", json=body, timeout=120)
                except httpx.TransportError:  # cut off
                    self.asked[name, model] -= 1
                    self.statuses[name, 0] += 1
                    return
                if time.monotonic() > self._until:
                    self.asked[name, model] -= 1
                    return
                self.statuses[name, response.status_code] += 1
                self.served[name, model] += response.status_code == 200

            async def keep_asking(model: str, every_s: float) -> None:
                while time.monotonic() < self._until:
                    self.asked[name, model] += 1
                    task = asyncio.create_task(ask(model))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                    await asyncio.sleep(every_s)

            times = GREEDY_TIMES if name == "greedy" else 1
            await asyncio.gather(
                *(keep_asking(model, 60 / rate / times) for model, rate in MODELS.items())
            )
            await asyncio.gather(*self._running)


def most_in_a_minute(upstream: RunningSimulator, model: str) -> int:
    """Of the model's requests that upstream got."""
    at = sorted(
        record.started_at
        for record in upstream.requests
        if isinstance(record.body, dict) and record.body.get("model") == model
    )
    return max(sum(begin <= moment < begin + 60 for moment in at) for begin in at)


@pytest.mark.parametrize("case", ["one worker", "three workers", "one of three is killed"])
async def test_slow_keys_get_theirs_beside_a_greedy_one(
    case: str, tmp_path: Path, django_db_blocker: pytest.FixtureRequest, tell: Callable[[str], None]
) -> None:
    workers = 1 if case == "one worker" else 3
    with ExitStack() as stack:
        upstream = stack.enter_context(running_simulator(speed=100))
        redis_url = stack.enter_context(redis_server()).url if workers > 1 else ""
        stack.enter_context(django_db_blocker.unblock())  # type: ignore[attr-defined]
        gateway = stack.enter_context(
            running_gateway(
                tmp_path / "gateway",
                upstream,
                WEB_CONCURRENCY=str(workers),
                REDIS_URL=redis_url,
                ACCOUNT_RATES=",".join(f"{model}={PER_MINUTE}" for model in MODELS),
            )
        )
        for model in MODELS:
            upstream.set_scenario("account-rate", path=f"chat/{model}", per_minute=PER_MINUTE)
        names = [*(f"slow{number}" for number in range(SLOW)), "greedy"]
        secrets = {name: gateway.issue_key(name) for name in names}
        load = Load()
        asking = asyncio.gather(*(load.key(gateway, *each) for each in secrets.items()))
        if "killed" in case:
            await asyncio.sleep(MINUTES * 30)
            os.kill(gateway.worker_pids[0], signal.SIGKILL)
        await asking
        assert not any(status in (500, 502, 503) for _, status in load.statuses), load.statuses
        for model, rate in MODELS.items():
            share = PER_MINUTE * MINUTES / (SLOW + 1)
            figures = [(load.served[name, model], load.asked[name, model]) for name in names]
            most = most_in_a_minute(upstream, model)
            tell(f"{case}, {rate} a minute each: {figures}, at most {most} in 60 s")
            assert most <= PER_MINUTE
            assert sum(served for served, _ in figures) <= PER_MINUTE * (MINUTES + 1)
            for served, asked in figures[:SLOW]:
                assert served >= min(asked, share) * (1 - WITHIN)
        checked = gateway.manage("check_ledger", check=False)
        assert checked.returncode == 0, checked.stdout
