"""Failures made on purpose while callers ask, and what must hold afterwards.

The tests run them small. The figures in the notes of a release come from the same functions with
larger numbers.
"""

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

import httpx
from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models import Sum
from django.utils import timezone

from keys.ledger.reservations import LEASE
from keys.models import DayTotal, Key, RequestLog, Reservation
from keys.reports.month_report import month_report
from keys.teams import join, make_team
from tests.gateway import ROOT, GatewayProcess
from tests.keys import team_sums
from tests.keys.load import (
    MIXED_KINDS,
    REQUESTS,
    STEPS,
    TILES,
    Asked,
    Load,
    ask_all,
    callers,
)

MUCH_NANO_USD = 10**15


# --- 300 requests of every kind ---------------------------------------------------------------


async def mixed_requests(gateway: GatewayProcess, key: str, count: int) -> list[Asked]:
    async with callers(gateway, key) as client:
        return await ask_all(
            client, [MIXED_KINDS[n % len(MIXED_KINDS)] for n in range(count)], at_once=24
        )


def assert_all_agree(gateway: GatewayProcess, record: Key, key: str, asked: list[Asked]) -> None:
    """Callers, rows, totals, `/v1/key` and the price list say the same, to the nano-dollar."""
    rows = gateway.wait_until(
        lambda: len(found := gateway.rows(key_id=record.pk)) >= len(asked) and found, "all rows"
    )
    by_id = {row.request_id: row for row in rows}
    assert len(rows) == len(asked) == len(by_id)
    for one in asked:
        _assert_row_is_what_was_answered(by_id[one.request_id], one)
    by_hand = sum(cost_by_hand(row) for row in rows)
    assert [row.cost_nano_usd for row in rows] == [cost_by_hand(row) for row in rows]
    totals = gateway.database(lambda: _totals_of(record.pk))
    assert totals["cost_nano_usd"] == by_hand > 0
    assert totals["requests"] == len(rows)
    for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "images", "neurons_micro"):
        assert totals[name] == sum(getattr(row, name) or 0 for row in rows), name
    told = key_facts(gateway, key)
    assert round(told["usage"] * 1e9) == round(told["usage_daily"] * 1e9) == by_hand
    assert told["budgets"]["daily"]["reserved"] == 0
    assert told["requests"]["total"] == len(rows)
    assert_ledger_is_clean(gateway)


def _assert_row_is_what_was_answered(row: RequestLog, asked: Asked) -> None:
    if not asked.kind.startswith("left"):
        assert row.status == asked.status, (asked.kind, row.end_reason)
    if asked.whole and asked.usage and row.endpoint == "chat":
        details = asked.usage.get("prompt_tokens_details") or {}
        assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens or 0) == (
            asked.usage["prompt_tokens"],
            asked.usage["completion_tokens"],
            details.get("cached_tokens", 0),
        ), asked.kind


def cost_by_hand(row: RequestLog) -> int:
    """From the numbers of the row and the published price list alone."""
    if row.usage_source == "none":
        return 0
    price = PRICES[row.model]
    if row.endpoint == "images":
        each = TILES * price["per 512 by 512 tile"] + STEPS * price["per step"]
        usd = (row.images or 0) * each
    else:
        dear = price["per M input tokens"]
        cached = row.cached_tokens or 0
        usd = (row.prompt_tokens or 0) - cached
        usd = usd * dear + cached * price.get("per M cached input tokens", dear)
        usd += (row.completion_tokens or 0) * price["per M output tokens"]
        usd /= 10**6
    return int((usd * 10**9).quantize(Decimal(1), ROUND_HALF_UP))


def _published_prices() -> dict[str, dict[str, Decimal]]:
    listed = json.loads(
        (ROOT / "workers_ai/simulator/models/bundled/search.json").read_text(), parse_float=Decimal
    )
    return {
        entry["name"]: {price["unit"]: price["price"] for price in prop["value"]}
        for entry in (listed["result"] if isinstance(listed, dict) else listed)
        for prop in entry.get("properties") or []
        if prop["property_id"] == "price"
    }


PRICES = _published_prices()


def _totals_of(key_id: int) -> dict[str, Any]:
    names = ("requests", "cost_nano_usd", "neurons_micro", "prompt_tokens", "completion_tokens")
    sums = {name: Sum(name) for name in (*names, "cached_tokens", "images")}
    return DayTotal.objects.filter(key_id=key_id).aggregate(**sums)


def key_facts(gateway: GatewayProcess, key: str) -> dict[str, Any]:
    answer = httpx.get(gateway.url + "/v1/key", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


# --- kill -9 ----------------------------------------------------------------------------------


async def kill_under_load(
    gateway: GatewayProcess, keys: Sequence[str], kill: Callable[[], None], *, count: int = 24
) -> list[Asked]:
    """Kills in the middle of the traffic, which goes on as soon as somebody answers again."""
    async with AsyncExitStack() as stack:
        each = [await stack.enter_async_context(callers(gateway, key)) for key in keys]
        load = Load(*((client, count // len(keys)) for client in each))
        await stack.enter_async_context(load)
        await load.until_whole(60)
        await asyncio.to_thread(kill)
        await load.until_whole(60)
    asked = load.asked
    broken = [one for one in asked if not one.whole and one.kind != "left stream"]
    assert broken, "nothing was in flight when the kill came, so it proves nothing"
    return asked


def team_keys(gateway: GatewayProcess, count: int) -> dict[str, tuple[Key, str]]:
    """A key with a budget in each of so many teams, by their names."""
    made = {}
    for number in range(count):
        name, member = f"team {number}", f"member {number}"
        # Before the key is there: workers hear of a key's new team within seconds, not at once.
        gateway.database(partial(_make_team_of, name, member))
        made[name] = gateway.issue(name, member, daily_budget_nano_usd=MUCH_NANO_USD)
    return made


def _make_team_of(name: str, member: str) -> None:
    user, _ = get_user_model().objects.get_or_create(username=member)
    join(make_team(name)[0], user, as_lead=True)


def assert_teams_agree(gateway: GatewayProcess, keys: dict[str, tuple[Key, str]]) -> None:
    """Rows, totals, the month's report, `GET /v1/key`, /metrics, `/api/` and all pages, to the
    nano-dollar."""
    month = datetime.now(UTC).date().replace(day=1)
    report = gateway.database(lambda: month_report(month, "team"))
    reported = {line.names["team"]: line.sums for line in report.lines}
    metrics = httpx.get(gateway.url + "/metrics").text
    by_team = {}
    for name, (key, text) in keys.items():
        rows = gateway.rows(key_id=key.pk)
        assert {row.team_name for row in rows} == {name}
        paid = by_team[name] = sum(row.cost_nano_usd or 0 for row in rows)
        assert paid > 0
        totals = gateway.database(partial(_totals_of, key.pk))
        assert (totals["requests"], totals["cost_nano_usd"]) == (len(rows), paid)
        assert (reported[name]["requests"], reported[name]["cost_nano_usd"]) == (len(rows), paid)
        assert round(key_facts(gateway, text)["usage"] * 1e9) == paid
        [counted] = re.findall(rf'gateway_team_cost_usd_total{{team="{name}"}} (\S+)', metrics)
        assert round(float(counted) * 1e9) == paid
    team_sums.assert_told(gateway, by_team)


def kill_a_worker(gateway: GatewayProcess) -> None:
    victim = gateway.worker_pids[0]
    os.kill(victim, signal.SIGKILL)
    gateway.wait_until(
        lambda: victim not in (pids := gateway.worker_pids) and pids, "the worker is replaced"
    )


def restart_killed(gateway: GatewayProcess) -> None:
    gateway.kill()
    gateway.start()


def assert_no_answer_lacks_its_row(gateway: GatewayProcess, asked: list[Asked]) -> None:
    whole = {one.request_id for one in asked if one.whole and one.status not in (0, 429, 503)}
    recorded = Counter(row.request_id for row in gateway.rows())
    assert not whole - recorded.keys()
    assert set(recorded.values()) == {1}
    assert_ledger_is_clean(gateway)


def end_leases_of_the_dead(gateway: GatewayProcess, key: str) -> int:
    """What the dead held frees itself when its lease ends, which is brought forward here."""

    def bring_forward() -> int:
        left = Reservation.objects.all()
        latest = max((one.expires_at for one in left), default=timezone.now())
        assert latest <= timezone.now() + LEASE
        return left.update(expires_at=timezone.now())

    freed = gateway.database(bring_forward)
    assert key_facts(gateway, key)["budgets"]["daily"]["reserved"] == 0
    return freed


# --- the database away ------------------------------------------------------------------------


async def outage_under_load(
    gateway: GatewayProcess,
    *,
    begin: Callable[[], Any],
    end: Callable[[], Any],
    lasts_s: float,
    count: int,
) -> tuple[list[Asked], int]:
    """`count` callers, and a quarter of that with a budget. Their requests, and how many events a
    stream brought while the database was away."""
    free = gateway.issue_key()
    limited, idle = (gateway.issue_key(daily_budget_nano_usd=MUCH_NANO_USD) for _ in range(2))
    async with (
        callers(gateway, free) as client,
        callers(gateway, limited) as limited_client,
        callers(gateway, idle) as idle_client,
    ):
        # A key that was never asked with cannot be looked up while the database is away.
        (await idle_client.get("/models")).raise_for_status()
        async with Load((client, count), (limited_client, count // 4)) as load:
            await load.until_whole(60)
            streaming = asyncio.Event()
            running = asyncio.create_task(_long_stream(client, streaming))
            await asyncio.wait_for(streaming.wait(), 30)
            begun_at, ended_at = await _away(gateway, load, begin, end, lasts_s, idle_client)
            await load.until_whole(60)
        stream_at, stream_whole = await running
        gateway.wait_until(lambda: _ready_status(gateway) == 200, "the gateway is ready again")
    asked = load.asked
    assert stream_whole, "a stream that ran before the outage did not end well"
    return asked, sum(begun_at < at < ended_at for at in stream_at)


async def _away(
    gateway: GatewayProcess,
    load: Load,
    begin: Callable[[], Any],
    end: Callable[[], Any],
    lasts_s: float,
    late: httpx.AsyncClient,
) -> tuple[float, float]:
    await asyncio.to_thread(begin)
    begun_at = time.monotonic()
    # Should all who ask already be waiting for their rows, nobody would be left to be refused. Of
    # a key that is not busy, and so has no share of its budget: it must reserve.
    load.join(late)
    try:
        await load.until(lambda asked: any(one.status == 503 for one in asked), "a 503")
        assert await asyncio.to_thread(_ready_status, gateway) == 503
        await asyncio.sleep(begun_at + lasts_s - time.monotonic())
    finally:
        await asyncio.to_thread(end)
        # The test's own connection went with the server.
        gateway.database(connections.close_all)
    return begun_at, time.monotonic()


def _ready_status(gateway: GatewayProcess) -> int:
    return httpx.get(gateway.url + "/readyz").status_code


async def _long_stream(
    client: httpx.AsyncClient, streaming: asyncio.Event
) -> tuple[list[float], bool]:
    body = {**REQUESTS["stream"][1]}
    body["messages"] = [{"role": "user", "content": "90 words [simulate slow-tokens seconds=0.07]"}]
    at_s: list[float] = []
    whole = False
    async with client.stream("POST", "/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                streaming.set()
                at_s.append(time.monotonic())
                whole = line == "data: [DONE]"
    return at_s, whole


def assert_nothing_was_lost(gateway: GatewayProcess, asked: list[Asked]) -> None:
    """Every answer is whole or a clear 503, and rows are of the former alone."""
    stayed = [one for one in asked if one.kind != "left stream"]
    assert Counter(one.status for one in stayed if not one.whole) == {}
    refused = [one for one in asked if one.status == 503]
    # A worker that has not met a key yet cannot look it up meanwhile.
    assert {one.code for one in refused} <= {"ledger_unavailable", "database_unavailable"}
    admitted = {one.request_id for one in asked if one.status != 503}
    gateway.wait_until(
        lambda: admitted <= {row.request_id for row in gateway.rows()}, "all admitted have rows"
    )
    recorded = {row.request_id for row in gateway.rows()}
    assert not recorded & {one.request_id for one in refused}
    running = Reservation.objects.of_running_requests(timezone.now())
    assert gateway.database(running.count) == 0
    assert_ledger_is_clean(gateway)


def assert_ledger_is_clean(gateway: GatewayProcess) -> None:
    checked = gateway.manage("check_ledger", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- many streams -----------------------------------------------------------------------------


async def idle_streams(
    gateway: GatewayProcess, key: str, count: int, look: Callable[[], Any]
) -> tuple[Any, Any]:
    """What `look` sees without streams and with `count` of them open and silent."""
    async with callers(gateway, key) as client:
        await ask_all(client, ["chat"] * 20, at_once=10)
        before = await asyncio.to_thread(look)
        body = {**REQUESTS["stream"][1]}
        body["messages"] = [{"role": "user", "content": "30 words [simulate stall after=3]"}]
        streaming = asyncio.Semaphore(0)
        over = asyncio.Event()

        async def hold() -> None:
            async with client.stream("POST", "/chat/completions", json=body) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        streaming.release()
                        await over.wait()
                        return

        tasks = [asyncio.create_task(hold()) for _ in range(count)]
        for _ in range(count):
            await asyncio.wait_for(streaming.acquire(), 30)
        during = await asyncio.to_thread(look)
        over.set()
        await asyncio.gather(*tasks)
    return before, during


def process_figures(pid: int) -> dict[str, int]:
    """Threads and resident KiB of a process."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 (no file of the project)
        lines = dict(line.split(":", 1) for line in status if ":" in line)
    return {"threads": int(lines["Threads"]), "rss_kib": int(lines["VmRSS"].split()[0])}
