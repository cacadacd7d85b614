"""Shares of budgets: busy keys ask the database seldom, and budgets hold to the last unit."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.db.models import Sum

from keys import errors
from keys.held_limits import HeldLimit, Subject
from keys.ledger import reservations, shares
from keys.ledger.claims import SHARE_LIFE_S
from keys.ledger.reservations import LEASE
from keys.ledger.shares import BUSY_CLAIMS, Part
from keys.ledger.writer import LedgerWriter
from keys.limits import claiming
from keys.limits.memory_counters import MemoryCounters
from keys.limits.ticket import Outcome
from keys.models import DayTotal, RequestLog, Reservation
from keys.reports.usage import key_usage
from keys.scopes import Limits
from tests.keys.factories import admitted, record
from tests.keys.ledger.conftest import NOON

pytestmark = pytest.mark.django_db(transaction=True)
COST = 100
# With room for so many requests of COST there is a share of any size.
PLENTY = 10**9


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """A busy machine takes longer for few requests."""
    monkeypatch.setattr(shares, "BUSY_S", 60.0)
    monkeypatch.setattr(shares, "SHARE_LIFE_S", 30.0)


@pytest.fixture
def short_lives(monkeypatch):
    """As in production, but that a busy machine has longer to give back what is left."""
    monkeypatch.setattr(shares, "SHARE_LIFE_S", SHARE_LIFE_S)
    monkeypatch.setattr(claiming, "SHARE_ENDS_WITHIN_S", 20.0)
    monkeypatch.setattr(reservations, "SHARE_ENDS_WITHIN", timedelta(seconds=20))


@pytest.fixture
def nobody_waits(monkeypatch):
    async def wait(seconds):
        raise AssertionError(f"{seconds} s for other workers' shares")

    monkeypatch.setattr(claiming, "sleep", wait)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


async def reserved(writer, key, cost=COST, *, model="@cf/test/chat", now=NOON, **wishes):
    """A ticket that has reserved its cost; the error where it was refused."""
    ticket = await admitted(key, now=now, counters=MemoryCounters(), writer=writer)
    ticket.model = model
    try:
        await ticket.reserve(tokens=0, cost_nano_usd=cost, neurons_micro=0, **wishes)
    except errors.KeysError as error:
        return error
    return ticket


def done(cost=COST):
    return Outcome(status=200, end_reason="complete", cost_nano_usd=cost)


async def spend(writer, key, requests, cost=COST, **how):
    for _ in range(requests):
        await (await reserved(writer, key, cost, **how)).settle(done(cost))


async def with_a_share(writer, key, **how):
    """A ticket of a key that is so busy that it takes a part of a share."""
    for _ in range(10 * BUSY_CLAIMS):
        ticket = await reserved(writer, key, **how)
        if isinstance(ticket._reservation, Part):
            return ticket
        await ticket.settle(done())
    raise AssertionError("no share was made")


async def read(what, *about):
    """From the database, on a thread that leaves no connection behind."""

    def reading():
        try:
            return what(*about)
        finally:
            connection.close()

    return await asyncio.to_thread(reading)


async def nothing_reserved():
    """Until no reservation is left, which nothing but time brings."""
    until = time.monotonic() + 30
    while await read(Reservation.objects.exists):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def held_in_database():
    return Reservation.objects.aggregate(held=Sum("cost_nano_usd"))["held"] or 0


def used():
    return DayTotal.objects.aggregate(used=Sum("cost_nano_usd"))["used"] or 0


def budget(units=PLENTY):
    return record(Limits(daily_budget_nano_usd=units * COST))


def test_a_busy_key_asks_the_database_for_few_of_its_requests(writers, short_lives):
    writer = writers()

    async def main():
        await spend(writer, budget(), 100)
        await nothing_reserved()

    run(main())
    # A group for each row, and one for each reservation, would be 200.
    assert writer.health().groups_written < 150
    assert (RequestLog.objects.count(), used()) == (100, 100 * COST)


def test_a_key_that_is_not_busy_reserves_for_each_request(writers):
    writer = writers()

    async def main():
        await spend(writer, budget(), BUSY_CLAIMS - 2)
        ticket = await reserved(writer, budget())
        assert await read(Reservation.objects.count) == 1
        ticket.settle_nowait(done())

    run(main())


def test_the_database_has_at_all_times_what_requests_may_use(writers):
    writer, key = writers(), budget()

    async def main():
        running = [await with_a_share(writer, key) for _ in range(5)]
        for cost in (0, 40, COST, COST, 60):
            booked = await read(used)
            held = await read(held_in_database)
            assert held >= len(running) * COST
            await running.pop().settle(done(cost))
            # Nothing is counted twice: what was reserved for the request is not any more.
            assert await read(used) == booked + cost
            assert await read(held_in_database) <= held
        writer.shares.close_all()
        await nothing_reserved()

    run(main())


@pytest.mark.parametrize("holder", ["key", "owner"])
def test_a_budget_is_used_up_to_the_last_request_over_workers(writers, holder):
    both = [writers(), writers()]
    units = 600
    limits = Limits(daily_budget_nano_usd=units * COST)
    keys = [
        record(limits) if holder == "key" else record(id=number, owner_limits=limits)
        for number in (1, 2)
    ]

    async def until_refused(writer, key):
        passed = 0
        while not isinstance(ticket := await reserved(writer, key), errors.BudgetUsedUp):
            await ticket.settle(done())
            passed += 1
        return passed

    async def main():
        callers = (until_refused(both[n % 2], keys[n % 2]) for n in range(8))
        passed = await asyncio.gather(*callers)
        await nothing_reserved()
        return sum(passed)

    assert run(main()) == units
    assert used() == units * COST


def test_what_another_worker_has_idle_is_waited_for(writers, short_lives):
    busy, other = writers(), writers()
    key = budget(1000)

    async def main():
        ticket = await with_a_share(busy, key)
        await ticket.settle(done())
        spent = await read(used)
        all_the_rest = await reserved(other, key, 1000 * COST - spent)
        all_the_rest.settle_nowait(done())

    run(main())


def test_what_this_worker_has_idle_for_another_model_is_given_back_at_once(writers, nobody_waits):
    writer = writers()
    key = budget(1000)

    async def main():
        ticket = await with_a_share(writer, key)
        await ticket.settle(done())
        spent = await read(used)
        ticket = await reserved(writer, key, 1000 * COST - spent, model="@cf/test/other")
        ticket.settle_nowait(done())

    run(main())


def test_shares_for_models_that_do_not_count_are_nobodys_hindrance(writers, nobody_waits):
    busy, other = writers(), writers()
    on_one_model = HeldLimit(Subject("key", 1, "usd", "day", ("@cf/test/other",)), 10 * COST)
    key = record(Limits(daily_budget_nano_usd=PLENTY * COST), more_limits=(on_one_model,))

    async def main():
        running = await with_a_share(busy, key)
        refused = await reserved(other, key, 11 * COST, model="@cf/test/other")
        assert isinstance(refused, errors.BudgetUsedUp)
        running.settle_nowait(done())

    run(main())


def test_who_is_refused_for_what_runs_is_refused_in_time(writers):
    busy, other = writers(), writers()
    key = budget(1000)

    async def main():
        running = await with_a_share(busy, key)
        spent = await read(used)
        refused = await reserved(other, key, 1000 * COST - spent)
        assert isinstance(refused, errors.BudgetUsedUp)
        running.settle_nowait(done())

    run(main())


def test_who_asks_for_more_than_all_shares_hold_closes_none(writers, nobody_waits):
    busy, other = writers(), writers()
    key = budget(1000)

    async def main():
        running = await with_a_share(busy, key)
        for writer in (busy, other):
            refused = await reserved(writer, key, 1500 * COST)
            assert isinstance(refused, errors.BudgetUsedUp)
        another = await reserved(busy, key)
        assert isinstance(another._reservation, Part)
        for ticket in (running, another):
            ticket.settle_nowait(done())

    run(main())


def test_a_lower_limit_holds_for_the_next_request(writers):
    writer = writers()

    async def main():
        ticket = await with_a_share(writer, budget(1000))
        await ticket.settle(done())
        return await reserved(writer, budget(1))

    assert isinstance(run(main()), errors.BudgetUsedUp)


def test_a_new_day_has_shares_of_its_own(writers, clock):
    writer, key = writers(), budget(1000)
    tomorrow = NOON + 24 * 3600

    async def main():
        ticket = await with_a_share(writer, key)
        clock.now = tomorrow
        later = await reserved(writer, key, now=tomorrow)
        days = await read(list, Reservation.objects.values_list("day", flat=True))
        assert {str(day) for day in days} == {"2027-05-10", "2027-05-11"}
        for each in (ticket, later):
            await each.settle(done())
        writer.shares.close_all()
        await nothing_reserved()

    run(main())


def test_what_a_crash_left_in_a_share_is_free_when_its_lease_ends(writers, clock):
    crashed = writers()
    key = budget(1000)

    async def crash():
        ticket = await with_a_share(crashed, key)
        # Kept, so that it is not settled as that of a client who left.
        return ticket, await read(used)

    ticket, spent = run(crash())
    assert isinstance(run(reserved(writers(), key, 1000 * COST - spent)), errors.BudgetUsedUp)
    clock.now += LEASE.total_seconds() + 1
    run(reserved(writers(), key, 1000 * COST - spent)).settle_nowait(done())
    ticket.settle_nowait(done())


def test_a_request_that_does_not_run_gives_its_part_back(writers):
    writer, key = writers(), budget()

    async def main():
        while_open, after_its_end = [await with_a_share(writer, key) for _ in range(2)]
        share = while_open._reservation.share
        left = share.left.usd
        while_open.withdraw()
        assert share.left.usd == left + COST
        writer.shares.close_all()
        await writer.written()
        assert await read(held_in_database) == COST
        after_its_end.withdraw()
        await nothing_reserved()

    run(main())


def test_a_commit_whose_answer_was_lost_takes_a_part_out_once(writers):
    class Forgetful(LedgerWriter):
        loses = False

        def _write(self, group):
            super()._write(group)
            if self.loses:
                self.loses = False
                raise OperationalError("connection lost at commit")

    writer, key = writers(Forgetful), budget()

    async def main():
        tickets = [await with_a_share(writer, key) for _ in range(3)]
        writer.loses = True
        writer.shares.close_all()
        await writer.written()
        assert not writer.loses
        assert await read(held_in_database) == 3 * COST
        writer.loses = True
        await tickets.pop().settle(done())
        assert not writer.loses
        assert await read(held_in_database) == 2 * COST
        for ticket in tickets:
            await ticket.settle(done())
        await nothing_reserved()

    run(main())


def test_who_stops_leaves_nothing_idle(writers):
    writer, key = writers(), budget()

    async def main():
        await (await with_a_share(writer, key)).settle(done())
        writer.shares.close_all()

    run(main())
    assert writer.stop(5)
    assert not Reservation.objects.exists()


def test_a_busy_key_is_granted_all_that_it_wishes(writers):
    writer, key = writers(), budget()
    wishes = {"wished_cost_nano_usd": 50 * COST, "wished_neurons_micro": 0}

    async def main():
        tickets = [await with_a_share(writer, key, **wishes) for _ in range(3)]
        held = await read(held_in_database)
        assert held >= 3 * 50 * COST
        for ticket in tickets:
            await ticket.settle(done())

    run(main())


def test_only_running_requests_are_told_as_reserved(writers, clock):
    writer, key = writers(), budget()

    async def main():
        ticket = await with_a_share(writer, key)
        writer.shares.close_all()
        await writer.written()
        assert (await told()).reserved_nano_usd == COST
        await ticket.settle(done())
        assert (await told()).reserved_nano_usd == 0

    async def told():
        now = datetime.fromtimestamp(clock.now, UTC)
        return (await read(key_usage, key.id, now)).day

    run(main())


def test_a_share_that_may_be_taken_from_is_not_told_as_reserved(writers):
    writer, key = writers(), budget()

    async def main():
        await (await with_a_share(writer, key)).settle(done())
        assert await read(Reservation.objects.exists)
        now = datetime.fromtimestamp(NOON, UTC)
        return await read(key_usage, key.id, now)

    assert run(main()).day.reserved_nano_usd == 0
