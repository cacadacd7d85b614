"""Budgets with the real ledger, its thread and a real database."""

import asyncio
import threading
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import InterfaceError, OperationalError, connection
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from keys import errors
from keys.held_limits import CALENDAR, HeldLimit, Subject
from keys.ledger import leases, reservations
from keys.ledger.budgets import decide
from keys.ledger.claims import Amounts, Claim
from keys.ledger.closed_days import ClosedDays
from keys.ledger.engine import group_transaction
from keys.ledger.reservations import LEASE
from keys.ledger.spending import Spending
from keys.ledger.windows import Window
from keys.ledger.writer import LedgerWriter
from keys.limits.memory_counters import MemoryCounters
from keys.limits.ticket import Outcome
from keys.models import DayTotal, RequestLog, Reservation
from keys.reports.usage import key_usage, owner_usage
from keys.scopes import Limits
from tests.keys.factories import Clock, admitted, ledger_row, record
from tests.keys.ledger.conftest import NOON

pytestmark = pytest.mark.django_db(transaction=True)


async def enter(writer, key, now=NOON):
    return await admitted(key, now=now, counters=MemoryCounters(), writer=writer)


async def reserved(writer, key, cost=100, neurons=0, now=NOON):
    """A ticket with its reservation, or the error that refused it."""
    ticket = await enter(writer, key, now)
    try:
        await ticket.reserve(tokens=0, cost_nano_usd=cost, neurons_micro=neurons)
    except errors.KeysError as error:
        return error
    return ticket


def done(cost=100, **fields):
    return Outcome(status=200, end_reason="complete", cost_nano_usd=cost, **fields)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


def refused(results):
    return [each for each in results if isinstance(each, errors.BudgetUsedUp)]


@pytest.mark.parametrize(
    ("limits", "amounts"),
    [
        (Limits(daily_budget_nano_usd=700), {"cost": 100}),
        (Limits(monthly_budget_nano_usd=799), {"cost": 100}),
        (Limits(total_budget_nano_usd=700), {"cost": 100}),
        (Limits(daily_neurons_micro=700), {"cost": 0, "neurons": 100}),
    ],
)
def test_of_fifty_at_once_with_room_for_seven_seven_pass(writers, limits, amounts):
    writer = writers()

    async def main():
        tries = (reserved(writer, record(limits), **amounts) for _ in range(50))
        results = await asyncio.gather(*tries)
        tickets = [each for each in results if each not in refused(results)]
        await asyncio.gather(*(ticket.settle(done()) for ticket in tickets))
        return len(tickets)

    assert run(main()) == 7
    assert RequestLog.objects.count() == 7


def test_two_writers_share_one_budget_exactly(writers):
    first, second = writers(), writers()

    async def main():
        key = record(Limits(daily_budget_nano_usd=700))
        tries = (reserved(writer, key) for _ in range(25) for writer in (first, second))
        return await asyncio.gather(*tries)

    results = run(main())
    assert len(refused(results)) == 43
    for ticket in results:
        if not isinstance(ticket, Exception):
            ticket.settle_nowait(done())


def test_keys_of_one_owner_share_the_owners_budget(writers):
    writer = writers()

    async def main():
        keys = [record(id=n, owner_limits=Limits(daily_budget_nano_usd=700)) for n in (1, 2)]
        results = await asyncio.gather(*(reserved(writer, keys[n % 2]) for n in range(50)))
        for ticket in results:
            if not isinstance(ticket, Exception):
                await ticket.settle(done())
        return results

    error = refused(run(main()))
    assert len(error) == 43
    assert "for all API keys of this owner" in str(error[0])
    assert owner_usage(7, now=datetime.fromtimestamp(NOON, UTC)).day.cost_nano_usd == 700


def test_a_cheap_request_gives_the_rest_of_its_estimate_back(writers):
    writer = writers()

    async def main():
        key = record(Limits(daily_budget_nano_usd=100))
        for _ in range(10):
            ticket = await reserved(writer, key, cost=91)
            await ticket.settle(done(cost=1))
        return await reserved(writer, key, cost=91)

    assert isinstance(run(main()), errors.BudgetUsedUp)
    assert not Reservation.objects.exists()


def test_a_refusal_names_budget_window_reset_and_what_is_left(writers):
    writer = writers()

    async def main():
        key = record(Limits(daily_budget_nano_usd=1_000_000_000))
        (await reserved(writer, key, cost=980_000_000)).settle_nowait(done(cost=980_000_000))
        return await reserved(writer, key, cost=50_000_000)

    error = run(main())
    assert str(error) == (
        "Budget reached: of the daily budget of $1 for this API key, $0.02 is left, and this "
        "request may use up to $0.05. It resets at 2027-05-11T00:00:00Z."
    )
    assert error.reset_at == datetime(2027, 5, 11, tzinfo=UTC).timestamp()


def test_a_total_budget_has_no_reset(writers):
    writer = writers()
    error = run(reserved(writer, record(Limits(total_budget_nano_usd=1)), cost=2))
    assert error.reset_at is None
    assert "does not reset" in str(error)


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [
        (Window.DAY, date(2027, 12, 31), date(2028, 1, 1)),
        (Window.WEEK, date(2027, 12, 27), date(2028, 1, 3)),
        (Window.MONTH, date(2027, 12, 1), date(2028, 1, 1)),
        (Window.TOTAL, date.min, None),
    ],
)
def test_windows_are_calendar_days_and_months(window, begin, end):
    assert (window.begin(date(2027, 12, 31)), window.end(date(2027, 12, 31))) == (begin, end)


def test_a_budget_set_later_counts_what_was_spent_before(writers):
    writer = writers()

    async def main():
        (await reserved(writer, record(), cost=90)).settle_nowait(done(cost=90))
        return await reserved(writer, record(Limits(daily_budget_nano_usd=100)), cost=11)

    assert isinstance(run(main()), errors.BudgetUsedUp)


def test_a_cost_that_nobody_knows_sets_nothing_aside_but_needs_something_left(writers):
    writer = writers()

    async def main():
        key = record(Limits(daily_budget_nano_usd=100))
        tickets = [await reserved(writer, key, cost=None, neurons=None) for _ in range(3)]
        for ticket in tickets:
            await ticket.settle(done(cost=40))
        return await reserved(writer, key, cost=None, neurons=None)

    assert isinstance(run(main()), errors.BudgetUsedUp)


def test_a_free_request_passes_a_budget_that_is_used_up(writers):
    writer = writers()

    async def main():
        key = record(Limits(daily_budget_nano_usd=100))
        await (await reserved(writer, key)).settle(done())
        ticket = await reserved(writer, key, cost=0)
        await ticket.settle(done(cost=0))

    run(main())


def test_a_request_that_crosses_midnight_is_booked_where_it_was_reserved(writers, clock):
    writer = writers()
    late = datetime(2027, 5, 31, 23, 59, 59, tzinfo=UTC).timestamp()

    async def main():
        key = record(Limits(daily_budget_nano_usd=100, monthly_budget_nano_usd=100))
        clock.now = late
        ticket = await reserved(writer, key, now=late)
        clock.now = late + 2
        next_day = await reserved(writer, key, now=late + 2)
        await ticket.settle(done(cost=60))
        await next_day.settle(done(cost=70))
        too_much = await reserved(writer, key, cost=31, now=late + 3)
        return refused([too_much])

    assert len(run(main())) == 1
    assert dict(DayTotal.objects.values_list("day", "cost_nano_usd")) == {
        date(2027, 5, 31): 60,
        date(2027, 6, 1): 70,
    }


def test_what_a_crash_left_reserved_is_free_when_its_lease_ends(writers, clock):
    key = record(Limits(daily_budget_nano_usd=100))
    crashed = LedgerWriter(clock=clock)
    crashed.start()
    ticket = run(reserved(crashed, key))
    crashed.stop(5)
    survivor = writers()
    assert isinstance(run(reserved(survivor, key)), errors.BudgetUsedUp)
    clock.now += LEASE.total_seconds() + 1
    run(reserved(survivor, key)).settle_nowait(done())
    ticket.withdraw()


def test_a_worker_that_lives_keeps_the_lease_of_a_long_request(writers, clock, monkeypatch):
    monkeypatch.setattr(reservations, "HEARTBEAT_S", 0.01)
    key = record(Limits(daily_budget_nano_usd=100))
    writer = writers()
    ticket = run(reserved(writer, key))
    clock.now += LEASE.total_seconds() - 1
    moment = datetime.fromtimestamp(clock.now, UTC)

    async def until_extended():
        while not await asyncio.to_thread(is_extended):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def is_extended():
        try:
            return Reservation.objects.filter(expires_at=moment + LEASE).exists()
        finally:
            connection.close()

    run(until_extended())
    ticket.settle_nowait(done())


def test_lapsed_reservations_are_deleted_in_the_end(writers, clock):
    Reservation.objects.create(
        id=uuid.uuid4(),
        writer=uuid.uuid4(),
        key_id=1,
        day=date(2027, 5, 10),
        cost_nano_usd=1,
        neurons_micro=0,
        expires_at=datetime.fromtimestamp(NOON, UTC) - reservations.SWEPT_AFTER,
    )
    assert writers().stop(5)
    assert not Reservation.objects.exists()


def test_a_withdrawn_ticket_gives_its_reservation_back(writers):
    writer = writers()

    async def main():
        key = record(Limits(daily_budget_nano_usd=100))
        (await reserved(writer, key)).withdraw()
        (await reserved(writer, key)).withdraw()

    run(main())
    writer.stop(5)
    assert not Reservation.objects.exists()
    assert not RequestLog.objects.exists()


def test_a_request_cancelled_while_it_reserves_keeps_nothing(writers):
    writer = writers(commit_delay_ms=50)

    async def main():
        ticket = await enter(writer, record(Limits(daily_budget_nano_usd=100)))
        reserving = asyncio.ensure_future(
            ticket.reserve(tokens=0, cost_nano_usd=100, neurons_micro=0)
        )
        await asyncio.sleep(0.02)
        reserving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reserving
        ticket.settle_nowait(Outcome(status=499, end_reason="client_gone", cost_nano_usd=0))

    run(main())
    writer.stop(5)
    assert not Reservation.objects.exists()
    assert RequestLog.objects.get().end_reason == "client_gone"


def test_settling_is_once_however_often_it_is_cancelled(writers):
    writer = writers(commit_delay_ms=20)

    async def one(key):
        ticket = await reserved(writer, key)
        settling = asyncio.ensure_future(settle(ticket))
        await asyncio.sleep(0)
        settling.cancel()
        await asyncio.gather(settling, return_exceptions=True)
        ticket.settle_nowait(done(cost=99))
        await ticket.settle(done(cost=99))

    async def settle(ticket):
        await asyncio.shield(ticket.settle(done(cost=30)))

    async def main():
        key = record(Limits(daily_budget_nano_usd=100_000))
        await asyncio.gather(*(one(key) for _ in range(40)))
        writer.shares.close_all()
        await writer.written()

    run(main())
    assert DayTotal.objects.get().cost_nano_usd == 40 * 30
    assert not Reservation.objects.exists()


def test_a_database_that_does_not_answer_admits_no_budgeted_request(writers, settings):
    settings.BUDGET_TIMEOUT = 0.05

    class Failing(LedgerWriter):
        failing = True

        def _write(self, group):
            if self.failing:
                raise OperationalError("gone")
            super()._write(group)

    writer = writers(Failing)
    key = record(Limits(daily_budget_nano_usd=100))
    assert isinstance(run(reserved(writer, key)), errors.LedgerUnavailable)
    writer.failing = False
    writer.stop(5)
    assert not Reservation.objects.exists()


def test_claims_that_wait_for_the_database_leave_room_for_rows_and_go_when_given_up(
    writers, settings
):
    settings.BUDGET_TIMEOUT = 0.05
    writing, free = threading.Event(), threading.Event()

    class Waiting(LedgerWriter):
        def _write(self, group):
            writing.set()
            free.wait(10)
            super()._write(group)

    writer = writers(Waiting, queue_rows=2)
    key = record(Limits(daily_budget_nano_usd=100))

    async def main():
        writer.put_nowait(ledger_row("1"))
        await asyncio.to_thread(writing.wait, 5)
        refused = await asyncio.gather(*(reserved(writer, key) for _ in range(20)))
        assert {type(each) for each in refused} == {errors.LedgerUnavailable}
        writer.check_room()

    run(main())
    free.set()
    assert writer.stop(5)
    assert (writer.health().groups_written, Reservation.objects.count()) == (1, 0)


def test_what_runs_through_an_outage_longer_than_its_lease_still_counts(writers, clock):
    writer = writers()
    key = record(Limits(daily_budget_nano_usd=100))
    first = run(reserved(writer, key))
    clock.now += LEASE.total_seconds() + 1
    writer._leases.extend_at = 0.0  # due since long: the database was away
    assert isinstance(run(reserved(writer, key)), errors.BudgetUsedUp)
    first.settle_nowait(done())


def test_what_was_swept_while_its_worker_reached_no_database_is_set_aside_again(writers, clock):
    writer = writers()
    key = record(Limits(daily_budget_nano_usd=100))
    first, second = run(reserved(writer, key, cost=60)), run(reserved(writer, key, cost=40))
    clock.now += LEASE.total_seconds() + reservations.SWEPT_AFTER.total_seconds() + 1
    reservations.sweep(datetime.fromtimestamp(clock.now, UTC))
    assert not Reservation.objects.exists()
    writer._leases.extend_at = 0.0  # due since long
    second.settle_nowait(done(30))
    refusal = run(reserved(writer, key, cost=20))
    assert "$0.00000001 is left" in str(refusal)
    assert [each.cost_nano_usd for each in Reservation.objects.all()] == [60]
    first.settle_nowait(done(60))
    assert writer.stop(5)
    assert not Reservation.objects.exists()


def test_leases_that_ended_in_an_outage_count_until_their_workers_can_extend_them(
    writers, clock, monkeypatch
):
    class Interrupted(LedgerWriter):
        def _write(self, group):
            if clock.now == NOON:
                clock.now += 2 * LEASE.total_seconds()
                raise OperationalError("away for longer than a lease")
            super()._write(group)

    key = record(Limits(daily_budget_nano_usd=100))
    others = LedgerWriter(clock=Clock(NOON))
    others.start()
    running = run(reserved(others, key))
    others.stop(5)
    writer = writers(Interrupted)
    assert isinstance(run(reserved(writer, key)), errors.BudgetUsedUp)
    monkeypatch.setattr(leases, "RETURN_S", 0.0)  # the other worker is dead
    run(reserved(writer, key)).settle_nowait(done())
    running.withdraw()


def test_a_fault_in_the_chores_does_not_end_the_ledger(writers, monkeypatch):
    def broken(moment):
        raise InterfaceError("the driver is confused")

    monkeypatch.setattr(reservations, "sweep", broken)
    writer = writers()
    ticket = run(reserved(writer, record(Limits(daily_budget_nano_usd=100))))
    ticket.settle_nowait(done())
    assert writer.stop(5)
    assert RequestLog.objects.count() == 1


def test_a_refused_row_gives_its_reservation_back(writers):
    writer = writers()

    async def main():
        ticket = await reserved(writer, record(Limits(daily_budget_nano_usd=100)))
        with pytest.raises(errors.RowRefused):
            await ticket.settle(Outcome(status="odd", end_reason="complete"))

    run(main())
    writer.stop(5)
    assert not Reservation.objects.exists()


def test_a_claim_whose_commit_answer_was_lost_is_reserved_once(writers):
    class Forgetful(LedgerWriter):
        lost = 0

        def _write(self, group):
            super()._write(group)
            if self.lost < 2:
                self.lost += 1
                raise OperationalError("connection lost at commit")

    ticket = run(reserved(writers(Forgetful), record(Limits(daily_budget_nano_usd=100))))
    assert Reservation.objects.count() == 1
    ticket.settle_nowait(done())


def test_refusals_are_counted_in_the_totals_without_rows(writers):
    writer = writers()

    async def main():
        for limits in (Limits(daily_budget_nano_usd=1), Limits(daily_neurons_micro=1)):
            for _ in range(3):
                await reserved(writer, record(limits), neurons=100)

    run(main())
    writer.stop(5)
    usage = key_usage(1, now=datetime.fromtimestamp(NOON, UTC))
    assert (usage.refused_today["refused_usd"], usage.refused_today["refused_neurons"]) == (3, 3)
    assert not RequestLog.objects.exists()


def test_somebody_who_hammers_at_a_limit_does_not_cost_a_commit_each(writers):
    writer = writers()

    async def main():
        counters, key = MemoryCounters(), record(Limits(requests_per_minute=1))
        for number in range(500):
            try:
                ticket = await admitted(
                    key, request_id=str(number), counters=counters, writer=writer
                )
            except errors.RequestRateReached:
                continue
            ticket.settle_nowait(done())
            await writer.written()

    run(main())
    writer.stop(5)
    assert DayTotal.objects.get().refused_requests == 499
    assert writer.health().groups_written <= 4


# --- any order of reserve, settle and expiry against a simple model -------------------------------


class AnyOrder(RuleBasedStateMachine):
    """`decide` and the totals against sums in a dict."""

    LIMITS = Limits(daily_budget_nano_usd=100, monthly_budget_nano_usd=250, daily_neurons_micro=90)

    def __init__(self):
        super().__init__()
        Reservation.objects.all().delete()
        DayTotal.objects.all().delete()
        self.now = datetime(2027, 1, 30, 12, tzinfo=UTC)
        self.held = {}
        self.used = {}

    def amounts(self, days):
        held = [h[:3] for h in self.held.values() if h[3] > self.now]
        used = [(day, *amounts) for day, amounts in self.used.items()]
        found = [each for each in (*held, *used) if each[0] in days]
        return sum(each[1] for each in found), sum(each[2] for each in found)

    def month(self):
        first = self.now.date().replace(day=1)
        return {
            first + timedelta(days=n)
            for n in range(31)
            if (first + timedelta(n)).month == first.month
        }

    @rule(cost=st.integers(0, 60), neurons=st.integers(0, 60))
    def reserve(self, cost, neurons):
        today = self.now.date()
        claim = Claim(
            id=uuid.uuid4(),
            scopes=record(self.LIMITS).budget_scopes,
            key_id=1,
            owner_id=None,
            day=today,
            cost_nano_usd=cost,
            neurons_micro=neurons,
        )
        day, month = self.amounts({today}), self.amounts(self.month())
        fits = (
            (not cost or day[0] + cost <= 100)
            and (not cost or month[0] + cost <= 250)
            and (not neurons or day[1] + neurons <= 90)
        )
        with group_transaction() as transaction:
            decisions, _ = decide(
                [claim], transaction, writer=uuid.uuid4(), now=self.now, closed=ClosedDays()
            )
        assert (decisions[claim.id] is None) == bool(fits)
        if fits:
            self.held[claim.id] = (today, cost, neurons, self.now + LEASE)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), cost=st.integers(0, 90), neurons=st.integers(0, 90))
    def settle(self, data, cost, neurons):
        claim_id = data.draw(st.sampled_from(list(self.held)))
        day, *_ = self.held.pop(claim_id)
        with group_transaction() as transaction:
            reservations.release([claim_id], transaction)
        total, _ = DayTotal.objects.get_or_create(day=day, key_id=1)
        total.cost_nano_usd += cost
        total.neurons_micro += neurons
        total.save()
        before = self.used.get(day, (0, 0))
        self.used[day] = (before[0] + cost, before[1] + neurons)

    @rule(minutes=st.sampled_from([1, 2, 700, 1500]), sweeps=st.booleans())
    def wait(self, minutes, sweeps):
        self.now += timedelta(minutes=minutes)
        if sweeps:
            reservations.sweep(self.now)
            self.held = {name: each for name, each in self.held.items() if each[3] > self.now}

    @invariant()
    def the_database_holds_what_the_model_holds(self):
        running = Reservation.objects.filter(expires_at__gt=self.now)
        assert set(running.values_list("pk", flat=True)) == {
            name for name, each in self.held.items() if each[3] > self.now
        }


def test_any_order_of_reserve_settle_and_expiry_agrees_with_the_model():
    AnyOrder.TestCase.settings = hypothesis_settings(max_examples=25, stateful_step_count=25)
    AnyOrder.TestCase().runTest()


WISHED = {"wished_cost_nano_usd": 1_000_000, "wished_neurons_micro": 0}


async def wished(writer, key, held):
    """Millionths of its wish that a claim of 100 got. A ticket that nobody holds would settle."""
    held.append(await enter(writer, key))
    return await held[-1].reserve(tokens=0, cost_nano_usd=100, neurons_micro=0, **WISHED)


def test_a_claim_that_wishes_more_gets_a_share_of_what_is_left(writers):
    writer = writers()
    key = record(Limits(daily_budget_nano_usd=80_000))

    tickets = []

    async def each_of_twenty():
        return await asyncio.gather(*(wished(writer, key, tickets) for _ in range(20)))

    parts = run(each_of_twenty())
    held = list(Reservation.objects.values_list("cost_nano_usd", flat=True))
    assert parts == sorted(parts, reverse=True)
    assert max(held) <= 10_000
    assert min(held) > 100  # all of twenty got more than they need
    assert sum(held) <= 80_000


def test_near_the_end_of_a_budget_a_claim_gets_what_it_needs(writers):
    writer = writers()
    key = record(Limits(daily_budget_nano_usd=300))
    tickets = []
    assert [run(wished(writer, key, tickets)) for _ in range(3)] == [0, 0, 0]
    with pytest.raises(errors.BudgetUsedUp):
        run(wished(writer, key, tickets))


def test_with_money_to_spare_a_wish_is_granted_whole(writers):
    writer = writers()
    tickets = []
    key = record(Limits(daily_budget_nano_usd=10**9))
    assert run(wished(writer, key, tickets)) == 1_000_000
    assert Reservation.objects.get().cost_nano_usd == 1_000_000


@given(needed=st.integers(0, 10**9), more=st.integers(0, 10**12), part=st.integers(0, 1_000_000))
def test_what_is_set_aside_covers_the_part_that_is_granted(needed, more, part):
    claim = Claim(
        id=uuid.uuid4(),
        scopes=(),
        key_id=1,
        owner_id=None,
        day=date(2027, 1, 1),
        cost_nano_usd=needed,
        neurons_micro=0,
        wished_cost_nano_usd=needed + more,
        wished_neurons_micro=0,
    )
    held = claim.with_part_of_wish(part).cost_nano_usd
    assert (held - needed) * 1_000_000 >= more * part
    assert held <= needed + more


def test_a_total_budget_counts_what_was_spent_years_ago(writers):
    for day, cost in ((date(2024, 2, 3), 50), (date(2027, 3, 31), 20), (date(2027, 4, 1), 20)):
        DayTotal.objects.create(day=day, key_id=1, cost_nano_usd=cost)
    writer = writers()
    key = record(Limits(total_budget_nano_usd=100))
    assert isinstance(run(reserved(writer, key, cost=11)), errors.BudgetUsedUp)
    run(reserved(writer, key, cost=10)).settle_nowait(done(cost=10))
    assert isinstance(run(reserved(writer, key, cost=1)), errors.BudgetUsedUp)


def test_spending_of_a_window_is_the_sum_of_its_days():
    days = {date(2027, 4, 30): 8, date(2027, 5, 9): 4, date(2027, 5, 11): 2, date(2027, 5, 12): 1}
    spending = Spending({day: {"": Amounts(usd=cost)} for day, cost in days.items()})
    budgets = [HeldLimit(Subject("key", 1, "usd", window), 100) for window in CALENDAR]
    sums = [spending.total(date(2027, 5, 12), budget) for budget in budgets]
    assert sums == [1, 3, 7, 15]
