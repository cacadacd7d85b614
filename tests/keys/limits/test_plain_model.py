"""Random limits, raises of them and requests: what passes is what a plain model of the rules lets
pass. It keeps every request in a list and adds up."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from keys import errors
from keys.access.key_record import KeyRecord
from keys.held_limits import WINDOWS_OF, HeldLimit, Raised, Subject
from keys.ledger import reservations
from keys.ledger.writer import LedgerWriter
from keys.limits import ticket
from keys.limits.memory_counters import MemoryCounters
from keys.limits.ticket import Outcome, Ticket
from keys.models import DayTotal, RequestLog, Reservation, TeamTotal
from tests.keys.factories import Clock, admitted, record

pytestmark = pytest.mark.django_db(transaction=True)


def starts() -> Iterator[float]:
    """Moments two minutes before the end of a day, a week and a month at once, far enough from each
    other that what one example used is over in the next."""
    days = (datetime(2027, 2, 1, tzinfo=UTC) + timedelta(days=n) for n in itertools.count())
    ends = (day for day in days if day.day == 1 and day.weekday() == 0)
    for day in itertools.islice(ends, 0, None, 3):
        yield day.timestamp() - 120


DAY_S = 86_400
MODELS = ("@cf/moonshotai/kimi", "@cf/meta/llama")
# The ids of each key: its own, its owner's, its team's.
KEYS = ((1, 1, 1), (1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, None))
HOLDERS = [("key", 1), ("owner", 1), ("team", 1), ("everybody", 0), ("user", 1), ("user", 4)]
RATES = {("requests", "minute"), ("tokens", "minute"), ("concurrency", "")}


@dataclass
class Request:
    key: KeyRecord
    model: str
    user: str
    at: float
    tokens: int
    cost: int
    neurons: int
    ticket: Ticket | None = None
    settled_at: float | None = None

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.at, UTC).date()

    def takes(self, what: str) -> int:
        return {"usd": self.cost, "neurons": self.neurons, "tokens": self.tokens}.get(what, 1)


@dataclass
class PlainModel:
    """`admitted` are those that rates let pass, `paid` those that budgets let pass as well."""

    limits: list[HeldLimit]
    raises: list[Raised]
    admitted: list[Request] = field(default_factory=list)
    paid: list[Request] = field(default_factory=list)

    @property
    def running(self) -> list[Request]:
        return [each for each in self.paid if each.settled_at is None]

    def broken(self, new: Request, of_rates: bool) -> list[Subject]:
        return [
            limit.subject
            for limit in self.limits
            if ((limit.subject.what, limit.subject.window) in RATES) == of_rates
            and self.counts(limit.subject, new, new)
            and not self.has_room(limit, new)
        ]

    def counts(self, subject: Subject, one: Request, new: Request) -> bool:
        """Whether `one` counts against a limit that `new` meets."""
        holder = {
            "key": one.key.id,
            "owner": one.key.owner_id,
            "team": one.key.team_id,
            "everybody": 0,
            "user": one.key.id,
        }[subject.holder_kind]
        return (
            holder == subject.holder_id
            and (not subject.models or one.model == MODELS[0])
            and (subject.holder_kind != "user" or one.user == new.user)
        )

    def amount(self, limit: HeldLimit, at: float) -> int:
        mine = [one for one in self.raises if one.subject == limit.subject and at < one.until]
        added = limit.amount + sum(one.plus or 0 for one in mine)
        return max([added, *(one.amount or 0 for one in mine)])

    def has_room(self, limit: HeldLimit, new: Request) -> bool:
        subject, what = limit.subject, limit.subject.what
        amount = self.amount(limit, new.at)

        def mine(requests: list[Request]) -> list[Request]:
            return [each for each in requests if self.counts(subject, each, new)]

        asked = new.takes(what)
        if what == "tokens":
            # An estimate above the whole limit may run alone.
            asked = max(1, min(asked, amount))
        if subject.window == "minute" and what == "requests":
            used = sum(new.at - each.at < 60 for each in mine(self.admitted))
        elif subject.window == "minute":
            used = sum(
                min(each.tokens, amount) if each.settled_at is None else each.tokens
                for each in mine(self.paid)
                if each.settled_at is None or new.at - each.settled_at < 60
            )
        elif subject.window == "":
            used = sum(each.settled_at is None for each in mine(self.paid))
        else:
            used = sum(
                each.takes(what)
                for each in mine(self.paid)
                if _begin(subject.window, new.day) <= each.day <= new.day
            )
            if not asked:
                return True
        return used + asked <= amount


def _begin(window: str, day: date) -> date:
    return {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "total": date.min,
    }[window]


@st.composite
def some_limits(draw: st.DrawFn) -> list[HeldLimit]:
    made = {}
    for _ in range(draw(st.integers(2, 6))):
        kind, holder_id = draw(st.sampled_from(HOLDERS))
        what = draw(st.sampled_from(sorted(WINDOWS_OF)))
        window = draw(st.sampled_from(WINDOWS_OF[what]))
        models = draw(st.sampled_from([(), ("@cf/moonshotai/*",)]))
        many = what in ("tokens", "usd", "neurons")
        amount = draw(st.sampled_from((40, 81, 120, 250) if many else (1, 2, 3)))
        subject = Subject(kind, holder_id, what, window, models)
        made[subject] = HeldLimit(subject, amount)
    return list(made.values())


@st.composite
def limits_and_raises(draw: st.DrawFn) -> tuple[list[HeldLimit], list[Raised]]:
    """The moments of the raises count from the first step. Of what runs, tokens per minute are
    reserved up to the limit, which in the plain model is always the same."""
    limits = draw(some_limits())
    raised = [
        limit
        for limit in limits
        if (limit.subject.what, limit.subject.window) != ("tokens", "minute")
    ]
    raises = []
    for limit in draw(st.lists(st.sampled_from(raised), max_size=4)) if raised else ():
        more = draw(st.sampled_from([1, 2, limit.amount]))
        until = float(draw(st.sampled_from([30, 121, DAY_S, 8 * DAY_S, 40 * DAY_S])))
        if draw(st.booleans()):
            raises.append(Raised(limit.subject, until, plus=more))
        else:
            raises.append(Raised(limit.subject, until, amount=limit.amount + more))
    return limits, raises


REQUEST = st.tuples(
    st.just("request"),
    st.sampled_from(KEYS),
    st.sampled_from(MODELS),
    st.sampled_from(["ada", "bob", ""]),
    st.sampled_from([1, 20, 300]),
    st.sampled_from([0, 40, 100]),
)
SETTLE = st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, 60))
WAIT = st.tuples(
    st.just("wait"), st.sampled_from([1, 30, 60, 60, DAY_S, DAY_S, 4 * DAY_S, 31 * DAY_S])
)
STEPS = st.lists(st.one_of(*[REQUEST] * 5, SETTLE, WAIT), min_size=25, max_size=50)


class Compared:
    """Goes the same steps with the gateway's limits and with the plain model."""

    def __init__(
        self,
        limits: list[HeldLimit],
        raises: list[Raised],
        writer: LedgerWriter,
        clock: Clock,
    ) -> None:
        self.limits, self.writer, self.clock = limits, writer, clock
        self.raises = [replace(one, until=clock.now + one.until) for one in raises]
        self.counters = MemoryCounters(clock)
        self.plain = PlainModel(limits, self.raises)

    async def go(self, steps: list[tuple]) -> None:
        try:
            for step, *values in steps:
                await getattr(self, step)(*values)
        finally:
            for _ in self.plain.running:
                await self.settle(0, 0)

    async def request(self, ids, model: str, user: str, tokens: int, cost: int) -> None:
        key_id, owner_id, team_id = ids
        holders = {("key", key_id), ("owner", owner_id), ("team", team_id), ("everybody", 0)}
        holders.add(("user", key_id))
        mine = [
            limit
            for limit in self.limits
            if (limit.subject.holder_kind, limit.subject.holder_id) in holders
        ]
        key = record(
            id=key_id,
            owner_id=owner_id,
            team_id=team_id,
            more_limits=tuple(mine),
            raises=tuple(self.raises),
            # As a worker reads a key again when a raise has ended.
            read_at=self.clock.now,
        )
        new = Request(key, model, user, self.clock.now, tokens, cost, cost // 2)
        rates, budgets = self.plain.broken(new, True), self.plain.broken(new, False)
        try:
            ticket = await admitted(
                key, now=self.clock.now, counters=self.counters, writer=self.writer
            )
            ticket.model, ticket.user = model, user
            await ticket.reserve(tokens=tokens, cost_nano_usd=cost, neurons_micro=cost // 2)
        except errors.LimitReached:
            assert rates
            return
        except errors.BudgetUsedUp:
            assert budgets and not rates
            self.plain.admitted.append(new)
            return
        assert (rates, budgets) == ([], [])
        new.ticket = ticket
        self.plain.admitted.append(new)
        self.plain.paid.append(new)

    async def settle(self, which: int, less: int) -> None:
        running = self.plain.running
        if not running:
            return
        one = running[which % len(running)]
        one.tokens = max(1, one.tokens - less)
        one.cost = max(0, one.cost - less)
        one.neurons = max(0, one.neurons - less)
        one.settled_at = self.clock.now
        assert one.ticket is not None
        await one.ticket.settle(
            Outcome(
                status=200,
                end_reason="complete",
                prompt_tokens=one.tokens,
                cost_nano_usd=one.cost,
                neurons_micro=one.neurons,
            )
        )

    async def wait(self, seconds: int) -> None:
        # No request runs for days.
        while any(self.clock.now + seconds - each.at > 2 * DAY_S for each in self.plain.running):
            await self.settle(0, 0)
        self.clock.now += seconds


@pytest.fixture(scope="module")
def moments() -> Iterator[float]:
    return starts()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(transactional_db, monkeypatch, clock):
    # Nothing renews leases by this clock.
    monkeypatch.setattr(reservations, "LEASE", timedelta(days=1000))
    # Hypothesis seeds the other one for each example, and then ids come again.
    monkeypatch.setattr(ticket, "random", random.SystemRandom())
    made = LedgerWriter(clock=clock)
    made.start()
    yield made
    made.stop(5)


IGNORED = [HealthCheck.function_scoped_fixture]


@given(held=limits_and_raises(), steps=STEPS)
@hypothesis_settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_passes_is_what_a_plain_model_lets_pass(writer, clock, moments, held, steps):
    for table in (DayTotal, TeamTotal, RequestLog):
        table.objects.all().delete()
    clock.now = next(moments)
    asyncio.run(asyncio.wait_for(Compared(*held, writer, clock).go(steps), 60))
    assert not Reservation.objects.exists()
