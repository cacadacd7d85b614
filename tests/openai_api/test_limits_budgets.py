"""Budgets over HTTP: exact when fifty ask at once, told in OpenAI's words, seen in `/v1/key`."""

import asyncio
import time
from collections import Counter
from typing import Any

import httpx
import pytest

from keys.models import DayTotal, OwnerLimits, RequestLog, Reservation
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body
from tests.openai_api.images.test_images import PHOENIX
from workers_ai.simulator.serve import RunningSimulator

AT_ONCE = 50
PICTURE = {"model": PHOENIX, "prompt": "a cat"}
KEY_POLL_S = 5


async def post_at_once(
    gateway: GatewayProcess, key: str, path: str, body: dict[str, Any], count: int = AT_ONCE
) -> list[httpx.Response]:
    async with httpx.AsyncClient(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}, timeout=60
    ) as client:
        return await asyncio.gather(*(client.post(path, json=body) for _ in range(count)))


def statuses(responses: list[httpx.Response]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


def facts(gateway: GatewayProcess, key: str) -> dict[str, Any]:
    response = httpx.get(gateway.url + "/v1/key", headers={"authorization": f"Bearer {key}"})
    data: dict[str, Any] = response.json()["data"]
    return data


@pytest.fixture
async def picture_cost(gateway: GatewayProcess) -> int:
    """nano-USD of one picture, as the ledger has it."""
    record, key = gateway.issue()
    [answer] = await post_at_once(gateway, key, "/images/generations", PICTURE, 1)
    assert answer.status_code == 200, answer.text
    [row] = gateway.rows(key_id=record.pk)
    assert row.cost_nano_usd
    return row.cost_nano_usd


async def test_of_fifty_pictures_at_once_with_money_for_seven_seven_are_drawn(
    gateway: GatewayProcess, picture_cost: int
) -> None:
    record, key = gateway.issue(daily_budget_nano_usd=picture_cost * 8 - 1)
    responses = await post_at_once(gateway, key, "/images/generations", PICTURE)
    assert statuses(responses) == {200: 7, 429: AT_ONCE - 7}
    rows = gateway.rows(key_id=record.pk)
    assert sum(row.cost_nano_usd or 0 for row in rows) == 7 * picture_cost
    left = gateway.database(lambda: Reservation.objects.filter(key_id=record.pk).count())
    assert left == 0


async def test_of_fifty_chats_at_once_with_tokens_for_seven_seven_are_answered(
    gateway: GatewayProcess,
) -> None:
    body = chat_body("Hi [simulate slow seconds=0.7]", max_tokens=1_000)
    # Seven times max_tokens and a prompt of less than a seventh of that.
    key = gateway.issue_key(tokens_per_minute=7_990)
    responses = await post_at_once(gateway, key, "/chat/completions", body)
    assert statuses(responses) == {200: 7, 429: AT_ONCE - 7}


async def test_fifty_long_prompts_of_short_words_do_not_overspend_a_budget(
    gateway: GatewayProcess,
) -> None:
    body = chat_body("a b c d " * 400 + "[simulate slow seconds=0.7]", max_tokens=8)
    record, key = gateway.issue()
    await post_at_once(gateway, key, "/chat/completions", body, 1)
    [row] = gateway.rows(key_id=record.pk)
    assert row.cost_nano_usd and row.prompt_tokens and row.prompt_tokens > 1_600
    budget = int(7.5 * row.cost_nano_usd)
    limited, key = gateway.issue(daily_budget_nano_usd=budget)
    responses = await post_at_once(gateway, key, "/chat/completions", body)
    assert set(statuses(responses)) == {200, 429}
    spent = sum(row.cost_nano_usd or 0 for row in gateway.rows(key_id=limited.pk))
    assert 0 < spent <= budget


async def test_a_used_up_budget_is_told_in_openais_words(
    gateway: GatewayProcess, picture_cost: int
) -> None:
    key = gateway.issue_key(daily_budget_nano_usd=picture_cost - 1)
    [refused] = await post_at_once(gateway, key, "/images/generations", PICTURE, 1)
    error = assert_openai_error(refused, 429, code="insufficient_quota", says="daily budget of $")
    assert error["type"] == "insufficient_quota"
    assert "T00:00:00Z" in error["message"]
    assert refused.headers["x-should-retry"] == "false"
    seconds_to_midnight = 86_400 - time.time() % 86_400
    assert int(refused.headers["retry-after"]) == pytest.approx(seconds_to_midnight, abs=30)


async def test_a_total_budget_that_is_used_up_tells_no_time_to_come_back(
    gateway: GatewayProcess, picture_cost: int
) -> None:
    key = gateway.issue_key(total_budget_nano_usd=picture_cost - 1)
    [refused] = await post_at_once(gateway, key, "/images/generations", PICTURE, 1)
    assert_openai_error(refused, 429, code="insufficient_quota", says="does not reset")
    assert "retry-after" not in refused.headers


async def test_neurons_per_day_are_a_limit(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(daily_neurons_micro=1)
    [refused] = await post_at_once(gateway, key, "/images/generations", PICTURE, 1)
    assert_openai_error(refused, 429, code="insufficient_quota", says="neurons")


async def test_what_is_left_is_seen_in_v1_key_with_the_refusals(
    gateway: GatewayProcess, picture_cost: int
) -> None:
    key = gateway.issue_key(monthly_budget_nano_usd=picture_cost * 2 - 1)
    await post_at_once(gateway, key, "/images/generations", PICTURE, 3)
    told = gateway.wait_until(
        lambda: (seen := facts(gateway, key))["refused_today"]["usd"] == 2 and seen,
        "the refusals are counted",
    )
    budget = told["budgets"]["monthly"]
    assert budget["used"] == pytest.approx(picture_cost / 1e9)
    assert budget["reserved"] == 0
    assert budget["remaining"] == pytest.approx((picture_cost - 1) / 1e9)
    assert told["requests"]["day"] == 1


async def test_all_keys_of_an_owner_share_the_owners_budget(
    gateway: GatewayProcess, picture_cost: int
) -> None:
    record, first = gateway.issue(owner="grace")
    second = gateway.issue_key(owner="grace")

    def set_limit() -> None:
        OwnerLimits.objects.create(owner_id=record.owner_id, daily_budget_nano_usd=picture_cost * 4)

    gateway.database(set_limit)
    gateway.wait_until(
        lambda: "owner_budgets" in facts(gateway, first), "the limit is known", KEY_POLL_S
    )
    both = await asyncio.gather(
        *(post_at_once(gateway, key, "/images/generations", PICTURE, 10) for key in (first, second))
    )
    assert sum(statuses(responses)[200] for responses in both) == 4
    assert facts(gateway, second)["owner_budgets"]["daily"]["remaining"] == 0


async def test_rows_totals_and_v1_key_agree_to_the_nano_dollar(gateway: GatewayProcess) -> None:
    record, key = gateway.issue(daily_budget_nano_usd=10**12)
    bodies = [
        chat_body(),
        chat_body(stream=True),
        chat_body(temperature="hot"),
        chat_body("300 words"),
    ]
    for body in bodies:
        await post_at_once(gateway, key, "/chat/completions", body, 5)
    await post_at_once(gateway, key, "/images/generations", PICTURE, 3)

    def sums() -> tuple[int, int]:
        rows = RequestLog.objects.filter(key_id=record.pk).values_list("cost_nano_usd", flat=True)
        totals = DayTotal.objects.filter(key_id=record.pk).values_list("cost_nano_usd", flat=True)
        return sum(cost or 0 for cost in rows), sum(totals)

    from_rows, from_totals = gateway.database(sums)
    assert from_rows == from_totals > 0
    assert round(facts(gateway, key)["usage"] * 1e9) == from_rows
    assert gateway.manage("check_ledger").returncode == 0


async def test_a_chat_without_a_limit_gets_the_limit_that_its_budget_pays_for(
    gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    _, rich = gateway.issue(daily_budget_nano_usd=10**12)
    _, poor = gateway.issue(daily_budget_nano_usd=20_000_000)  # two cents
    body = chat_body()
    assert "max_tokens" not in body
    for key in (rich, poor):
        [answer] = await post_at_once(gateway, key, "/chat/completions", body, 1)
        assert answer.status_code == 200, answer.text
    full, less = (request.body["max_tokens"] for request in upstream.requests)
    assert full > 16_000
    assert 4_096 <= less < full


async def test_a_small_budget_serves_many_chats_without_a_limit_at_once(
    gateway: GatewayProcess,
) -> None:
    record, key = gateway.issue(daily_budget_nano_usd=150_000_000)
    responses = await post_at_once(gateway, key, "/chat/completions", chat_body(), 6)
    assert statuses(responses) == {200: 6}
    rows = gateway.rows(key_id=record.pk)
    assert sum(row.cost_nano_usd or 0 for row in rows) <= 150_000_000
