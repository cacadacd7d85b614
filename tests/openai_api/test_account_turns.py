"""Requests beyond the account's rate wait for their turn, and say so."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from catalog import paces
from catalog.snapshot import ModelRecord
from keys.sharing.process_lanes import lanes
from openai_api.account_turns import Turns
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body, new_id, post, stream
from workers_ai.errors import RateReached
from workers_ai.simulator.serve import RunningSimulator

TEXT = "@cf/qwen/qwen3-30b-a3b-fp8"
# In the tuned gateway one request a minute, of all that fit the pattern together.
CHATTER, EMBEDDER = "@cf/google/gemma-4-26b-a4b-it", "@cf/google/embeddinggemma-300m"
KIMI, NEMOTRON = "@cf/moonshotai/kimi-k2.5", "@cf/nvidia/nemotron-3-120b-a12b"


def refuse(upstream: RunningSimulator, model: str, times: int, route: str = "chat") -> None:
    upstream.set_scenario("error-3021", path=f"{route}/{model}", times=times)


def teach(client: httpx.Client, upstream: RunningSimulator, model: str) -> None:
    """Two requests that are refused for the account's rate."""
    refuse(upstream, model, times=10)
    for _ in range(2):
        refused = post(client, chat_body(model=model))
        assert_openai_error(refused, 429, code="rate_limit_exceeded")
    upstream.clear_scenarios()


def test_a_learnt_rate_makes_requests_wait_and_not_fail(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    teach(client, upstream, TEXT)
    whole, streamed = new_id(), new_id()
    assert post(client, chat_body(model=TEXT), request_id=whole).status_code == 200
    assert stream(client, model=TEXT, request_id=streamed).dones == 1
    rows = [gateway.row(whole), gateway.row(streamed)]
    # 300 a minute are one in 200 ms once the minute is full.
    assert all(0 < (row.waited_ms or 0) <= 5_000 for row in rows), [r.waited_ms for r in rows]
    assert all(row.duration_ms >= (row.waited_ms or 0) for row in rows)
    # Refused once more, it takes another turn instead of failing. Of several at once one waits for
    # it, however slowly the machine sends them.
    refuse(upstream, TEXT, times=1)
    again = [new_id() for _ in range(6)]
    with ThreadPoolExecutor(len(again)) as pool:
        asked = [pool.submit(post, client, chat_body(model=TEXT), request_id=i) for i in again]
        assert [answer.result().status_code for answer in asked] == [200] * len(again)
    rows = [gateway.row(request_id) for request_id in again]
    assert sorted(row.attempts for row in rows) == [1] * (len(again) - 1) + [2]
    assert any((row.waited_ms or 0) > 0 for row in rows)


def test_no_turn_in_time_is_429_with_the_time_until_one(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client, upstream: RunningSimulator
) -> None:
    """On any endpoint. The wait is three seconds here."""
    assert post(tuned_client, chat_body(model=CHATTER)).status_code == 200
    sent = len(upstream.requests)

    def ask(path: str, **body: Any) -> tuple[httpx.Response, str]:
        request_id = new_id()
        headers = {"x-request-id": request_id}
        return tuned_client.post(path, json=body, headers=headers), request_id

    with ThreadPoolExecutor(2) as pool:
        chat = pool.submit(ask, "/chat/completions", **chat_body(model=CHATTER))
        embedding = pool.submit(ask, "/embeddings", model=EMBEDDER, input="a")
        asked = [chat.result(), embedding.result()]
    for refused, request_id in asked:
        words = "no turn came within 3 s"
        assert_openai_error(refused, 429, code="rate_limit_exceeded", says=words)
        assert 30 <= int(refused.headers["retry-after"]) <= 120
        row = tuned_gateway.row(request_id)
        assert (row.status, row.attempts, row.cost_nano_usd or 0) == (429, 0, 0)
        assert 2_900 <= (row.waited_ms or 0) <= row.duration_ms
    assert len(upstream.requests) == sent, "none was sent"


@pytest.mark.parametrize(("model", "streamed"), [(KIMI, False), (NEMOTRON, True)])
async def test_who_leaves_is_out_of_the_line(
    model: str, streamed: bool, tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    assert post(tuned_client, chat_body(model=model)).status_code == 200
    request_id = new_id()
    lane = "@cf/nvidia/*" if model == NEMOTRON else model

    def waits() -> bool:
        metrics = httpx.get(f"{tuned_gateway.url}/metrics").text
        return (
            f'gateway_queue_waiting{{lane="{lane}"}} 1.0' in metrics
            and f'gateway_queue_longest_wait_seconds{{lane="{lane}"}} ' in metrics
        )

    async with httpx.AsyncClient(headers=tuned_client.headers) as leaving:
        task = asyncio.create_task(
            leaving.post(
                f"{tuned_gateway.url}/v1/chat/completions",
                json=chat_body(model=model, stream=streamed),
                headers={"x-request-id": request_id},
            )
        )
        await asyncio.to_thread(tuned_gateway.wait_until, waits, "it waits")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(tuned_gateway.wait_until, lambda: not waits(), "it is out")
    row = await asyncio.to_thread(tuned_gateway.row, request_id)
    assert row.end_reason == "client_gone"
    assert (row.cost_nano_usd or 0, row.prompt_tokens or 0) == (0, 0), "it was never sent"


async def test_only_what_all_waits_for_a_turn_was_never_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of several calls of one request some may be under way when the model's rate is learnt."""
    paces.forget()
    model = ModelRecord("@cf/of/this-test-alone", task="Text Generation")
    ticket = SimpleNamespace(waited_ms=None, user="", account="")
    turns = Turns(SimpleNamespace(id=1, queue_weight=1), ticket, model, others_stand_by=False)  # type: ignore[arg-type]
    assert turns.may_go()
    monkeypatch.setattr(paces, "RATES", ((model.name, 1),))
    assert not turns.may_go()
    lane = lanes.lane(model.name, 1)
    lane.note_given()
    waiting = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    assert turns.in_line == 1
    assert not turns.nothing_sent, "the first call is under way, and has to be paid"
    turns.refused(RateReached("rate", status=429))
    assert turns.nothing_sent, "upstream refused it"
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    paces.forget()
