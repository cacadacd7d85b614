import asyncio
import gc
import ipaddress
from dataclasses import fields

import pytest

from keys import errors
from keys.limits.admission import admit_read, admit_unrecorded, check_address
from keys.limits.headers import duration_text
from keys.limits.memory_counters import MemoryCounters
from keys.limits.ticket import Outcome
from keys.scopes import Limits
from tests.keys.factories import MemoryLedger, admitted, record

DONE = Outcome(status=200, end_reason="complete", prompt_tokens=3, completion_tokens=4)


@pytest.fixture
def counters():
    return MemoryCounters()


@pytest.fixture
def ledger():
    return MemoryLedger()


@pytest.fixture
def enter(counters, ledger):
    async def enter(key=None, **fields):
        return await admitted(key or record(), counters=counters, writer=ledger, **fields)

    return enter


async def test_a_settled_ticket_leaves_one_row_with_its_facts(enter, ledger):
    ticket = await enter(record(team_id=3, team_name="research"), now=1_800_000_000.0)
    ticket.model = "@cf/meta/llama"
    ticket.stream = True
    ticket.settle(DONE)
    [row] = ledger.rows
    assert (row.key_name, row.owner_name, row.model, row.stream) == (
        "laptop",
        "ada",
        "@cf/meta/llama",
        True,
    )
    assert (row.started_at, row.prompt_tokens, row.cached_tokens) == (1_800_000_000.0, 3, None)
    assert (row.team_id, row.team_name) == (3, "research")


async def test_a_row_has_all_its_fields(enter, ledger):
    (await enter()).settle(DONE)
    [row] = ledger.rows
    assert [each.name for each in fields(row) if not hasattr(row, each.name)] == []


async def test_a_second_settle_changes_nothing_and_waits_for_the_same_commit(enter, ledger):
    ticket = await enter()
    first = ticket.settle(DONE)
    second = ticket.settle(Outcome(status=500, end_reason="gateway_error"))
    assert first is second
    assert [row.status for row in ledger.rows] == [200]


async def test_settle_after_settle_nowait_still_waits_for_the_commit(enter, ledger):
    ticket = await enter()
    ticket.settle_nowait(DONE)
    future = ticket.settle(DONE)
    assert not future.done()
    ledger.commit()
    assert future.done()
    assert len(ledger.rows) == 1


async def test_who_is_cancelled_while_waiting_for_the_commit_can_wait_again(enter, ledger):
    ticket = await enter()
    first = ticket.settle(DONE)
    first.cancel()
    second = ticket.settle(DONE)
    assert not second.done()
    assert second is ticket.settle(DONE)
    second.set_result(None)
    await second
    assert len(ledger.rows) == 1


def test_settle_without_a_loop_leaves_the_ticket_open(enter, ledger):
    ticket = asyncio.run(enter())
    with pytest.raises(RuntimeError):
        ticket.settle(DONE)
    ticket.settle_nowait(DONE)
    assert len(ledger.rows) == 1


async def test_the_slot_is_free_before_the_row_is_committed(enter):
    key = record(Limits(concurrency=1))
    (await enter(key)).settle(DONE)
    (await enter(key)).settle(DONE)


async def test_of_fifty_at_once_with_seven_slots_seven_pass(enter):
    key = record(Limits(concurrency=7))
    tickets = []

    async def attempt():
        try:
            tickets.append(await enter(key))
        except errors.ConcurrencyReached:
            return False
        return True

    passed = await asyncio.gather(*(attempt() for _ in range(50)))
    assert sum(passed) == 7
    for ticket in tickets:
        ticket.settle(DONE)


async def test_of_fifty_token_reservations_with_room_for_seven_seven_pass(enter, ledger):
    key = record(Limits(tokens_per_minute=700))

    async def attempt():
        try:
            ticket = await enter(key)
            await ticket.reserve(tokens=100, cost_nano_usd=None, neurons_micro=None)
        except errors.TokenRateReached:
            return None
        return ticket

    tickets = [t for t in await asyncio.gather(*(attempt() for _ in range(50))) if t]
    assert len(tickets) == 7
    for ticket in tickets:
        ticket.settle(DONE)
    assert len(ledger.rows) == 7


async def test_a_refused_reservation_frees_its_slot_and_leaves_no_row(enter, ledger):
    key = record(Limits(tokens_per_minute=100, concurrency=2))
    first, second = await enter(key), await enter(key)
    await first.reserve(tokens=90, cost_nano_usd=None, neurons_micro=None)
    with pytest.raises(errors.TokenRateReached):
        await second.reserve(tokens=90, cost_nano_usd=None, neurons_micro=None)
    (await enter(key)).settle(DONE)
    assert second.is_settled
    second.settle(DONE)
    first.settle(DONE)
    assert len(ledger.rows) == 2


async def test_an_estimate_above_the_whole_limit_may_run_alone(enter):
    ticket = await enter(record(Limits(tokens_per_minute=100)))
    await ticket.reserve(tokens=4096, cost_nano_usd=None, neurons_micro=None)
    ticket.settle(DONE)


def test_a_request_from_elsewhere_is_refused():
    key = record(networks=(ipaddress.ip_network("192.168.0.0/16"),))
    check_address(key, "192.168.2.3")
    with pytest.raises(errors.AddressNotAllowed, match=r"10\.1\.2\.3"):
        check_address(key, "10.1.2.3")


async def test_reads_have_a_rate_that_follows_the_keys_own(counters):
    for own, most in ((None, 600), (1, 60), (200, 200)):
        key = record(Limits(requests_per_minute=own), id=most)
        for _ in range(most):
            await admit_read(key, counters=counters)
        with pytest.raises(errors.RequestRateReached, match=f"limit of {most} for reading"):
            await admit_read(key, counters=counters)


async def test_what_is_not_recorded_counts_and_gives_its_slot_back(counters, ledger):
    key = record(Limits(requests_per_minute=2, concurrency=1))
    for _ in range(2):
        async with admit_unrecorded(key, endpoint="messages", counters=counters, writer=ledger):
            with pytest.raises(errors.LimitReached):
                await admit_unrecorded(
                    key, endpoint="messages", counters=counters, writer=ledger
                ).__aenter__()
    with pytest.raises(errors.RequestRateReached):
        await admit_unrecorded(
            key, endpoint="messages", counters=counters, writer=ledger
        ).__aenter__()
    assert ledger.rows == []


async def test_what_is_not_recorded_is_a_read_of_a_key_without_a_rate(counters, ledger):
    key = record(Limits(concurrency=1))

    async def count():
        async with admit_unrecorded(key, endpoint="messages", counters=counters, writer=ledger):
            pass

    for _ in range(600):
        await count()
    with pytest.raises(errors.RequestRateReached, match="limit of 600 for reading"):
        await count()
    with pytest.raises(errors.RequestRateReached):
        await admit_read(key, counters=counters)


async def test_an_endpoint_that_is_not_allowed_is_named_with_those_that_are(enter):
    with pytest.raises(errors.EndpointNotAllowed, match=r"'images'.*: chat, embeddings"):
        await enter(record(endpoints=("chat", "embeddings")), endpoint="images")


async def test_a_refusal_names_the_limit_and_when_to_come_back(enter):
    key = record(Limits(requests_per_minute=1))
    (await enter(key)).settle_nowait(DONE)
    with pytest.raises(
        errors.RequestRateReached, match="requests per minute limit of 1 for this API key"
    ) as caught:
        await enter(key, now=1_000.0)
    assert caught.value.reset_at == pytest.approx(1_000 + caught.value.retry_after_s)
    assert 59 < caught.value.retry_after_s <= 60


async def test_a_ledger_without_room_admits_nobody(enter, ledger, counters):
    def full():
        raise errors.LedgerFull

    ledger.check_room = full
    with pytest.raises(errors.LedgerFull):
        await enter()
    assert len(counters) == 0


async def test_rate_limit_headers_carry_openais_names_and_forms(enter):
    ticket = await enter(record(Limits(requests_per_minute=60, tokens_per_minute=1000)))
    assert dict(ticket.headers()) == {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"59",
        b"x-ratelimit-reset-requests": b"1m0s",
        b"x-ratelimit-limit-tokens": b"1000",
        b"x-ratelimit-remaining-tokens": b"1000",
        b"x-ratelimit-reset-tokens": b"0s",
    }
    ticket.withdraw()


async def test_a_key_without_limits_gets_no_rate_limit_headers(enter):
    ticket = await enter()
    assert ticket.headers() == []
    ticket.withdraw()


async def test_a_ticket_that_nobody_settled_still_leaves_its_row_and_slot(enter, ledger):
    key = record(Limits(concurrency=1))
    await enter(key)
    gc.collect()
    await asyncio.sleep(0)
    assert [row.end_reason for row in ledger.rows] == ["client_gone"]
    (await enter(key)).settle(DONE)


def test_a_ticket_dropped_after_its_loop_has_closed_leaves_its_row(enter, ledger):
    async def main():
        return await enter()

    ticket = asyncio.run(main())
    del ticket
    gc.collect()
    assert len(ledger.rows) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.0125, "13ms"), (6, "6s"), (59.2, "1m0s"), (60, "1m0s"), (90, "1m30s")],
)
def test_durations_are_written_as_openai_does(seconds, text):
    assert duration_text(seconds) == text
