"""Money and neurons per calendar window (UTC), for keys and for owners.

Nothing is counted twice: what is used is the sum of the day totals, what is set aside is the sum of
the `Reservation` rows whose lease runs. So a budget that is set later, or changed, is right at
once, a settled request frees its estimate in the transaction that adds its cost, and what a crash
left is free when its lease ends.

`decide` runs on the ledger's thread, inside the transaction of a group. It takes a lock on each
scope first (on SQLite the transaction itself is one), so that of any number of workers and hosts
one decides at a time, and reads totals and reservations in one statement: a request that settles
meanwhile is seen on one side or on the other, never on none.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final, Literal

from django.db import connection
from django.db.models import Sum

from keys.amounts import neurons_text, usd_text
from keys.errors import BudgetUsedUp
from keys.ledger.transaction import GroupTransaction, Insert, group_transaction
from keys.models import DayTotal, Reservation
from keys.scopes import Limits, Scope

# A worker that lives extends its leases every HEARTBEAT_S; one that died holds nothing after LEASE.
LEASE: Final = timedelta(seconds=90)
HEARTBEAT_S: Final = 30.0
# Until then a worker that could not reach the database may still take up its leases again.
SWEPT_AFTER: Final = timedelta(hours=1)
SWEPT_AT_ONCE: Final = 500
# Amounts of one request stop here, far above any cost, so that sums stay within 64 bits.
_HIGHEST: Final = 10**15
# The advisory locks' own corner of PostgreSQL's 64-bit numbers.
_LOCKS: Final = {"key": 0x4B1 << 50, "owner": 0x4B2 << 50}


ScopeName = tuple[Literal["key", "owner"], int]


class Window(Enum):
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"

    def begin(self, day: date) -> date:
        if self is Window.TOTAL:
            return date.min
        return day if self is Window.DAY else day.replace(day=1)

    def end(self, day: date) -> date | None:
        """The first day after it."""
        if self is Window.TOTAL:
            return None
        if self is Window.DAY:
            return day + timedelta(days=1)
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

    def reset_at(self, day: date) -> float | None:
        end = self.end(day)
        return None if end is None else datetime.combine(end, time(), UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Budget:
    field: str  # of `Limits`
    words: str
    window: Window
    unit: str  # "usd" or "neurons"


BUDGETS: Final = (
    Budget("daily_budget_nano_usd", "daily budget", Window.DAY, "usd"),
    Budget("monthly_budget_nano_usd", "monthly budget", Window.MONTH, "usd"),
    Budget("total_budget_nano_usd", "total budget", Window.TOTAL, "usd"),
    Budget("daily_neurons_micro", "daily neurons", Window.DAY, "neurons"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one request asks to have set aside, in the windows of the day it began on.

    None is the cost of a model without a price: it sets nothing aside, but needs a budget that
    has something left.
    """

    id: uuid.UUID
    scopes: tuple[Scope, ...]
    key_id: int
    owner_id: int | None
    day: date
    cost_nano_usd: int | None
    neurons_micro: int | None

    def amount(self, unit: str) -> int | None:
        amount = self.cost_nano_usd if unit == "usd" else self.neurons_micro
        if amount is None or 0 <= amount <= _HIGHEST:
            return amount
        return min(max(amount, 0), _HIGHEST)

    @property
    def set_aside(self) -> tuple[int, int]:
        """Nano-USD and micro-neurons that are held for it."""
        return self.amount("usd") or 0, self.amount("neurons") or 0


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Which budget had too little left for a claim."""

    scope: Scope
    budget: Budget
    limit: int
    left: int
    asked: int | None

    def error(self, day: date) -> BudgetUsedUp:
        shown = _usd if self.budget.unit == "usd" else _neurons
        return BudgetUsedUp(
            limit=self.budget.words,
            whose=self.scope.words,
            limit_text=shown(self.limit),
            left_text=shown(max(0, self.left)),
            asked_text="an amount that nobody knows" if self.asked is None else shown(self.asked),
            window=self.budget.window.value,
            reset_at=self.budget.window.reset_at(day),
        )


def _usd(nano_usd: int) -> str:
    return f"${usd_text(nano_usd)}"


def _neurons(micro: int) -> str:
    return f"{neurons_text(micro)} neurons"


@dataclass(slots=True)
class Spending:
    """Of one scope, by day: (nano-USD, micro-neurons) used and set aside."""

    days: dict[date, tuple[int, int]]
    # What each budget of the scope has left for claims of a day: a group's are of one, as a rule.
    _rooms: dict[date, list[tuple[Budget, int, int]]] = field(default_factory=dict)

    def total(self, window: Window, day: date, unit: str) -> int:
        part = 0 if unit == "usd" else 1
        if window is Window.DAY:
            return self.days.get(day, (0, 0))[part]
        begin, end = window.begin(day), window.end(day)
        return sum(
            amounts[part]
            for each, amounts in self.days.items()
            if each >= begin and (end is None or each < end)
        )

    def shortfall(self, scope: Scope, claim: Claim) -> Shortfall | None:
        rooms = self._rooms.get(claim.day)
        if rooms is None:
            rooms = self._rooms[claim.day] = [
                (budget, limit, limit - self.total(budget.window, claim.day, budget.unit))
                for budget in BUDGETS
                if (limit := getattr(scope.limits, budget.field)) is not None
            ]
        nano_usd, neurons_micro = claim.amount("usd"), claim.amount("neurons")
        for budget, limit, left in rooms:
            asked = nano_usd if budget.unit == "usd" else neurons_micro
            if (asked is None and left <= 0) or (asked and asked > left):
                return Shortfall(scope, budget, limit, left, asked)
        return None

    def add(self, day: date, cost_nano_usd: int, neurons_micro: int) -> None:
        cost, neurons = self.days.get(day, (0, 0))
        self.days[day] = (cost + cost_nano_usd, neurons + neurons_micro)
        rooms = self._rooms.get(day)
        self._rooms.clear()
        if rooms is not None:
            self._rooms[day] = [
                (budget, limit, left - (cost_nano_usd if budget.unit == "usd" else neurons_micro))
                for budget, limit, left in rooms
            ]


class ClosedMonths:
    """What scopes had spent before the month that came before this one, read once a month.

    No request lasts that long, so these sums stand still; a total budget need not add up years of
    days for each claim. `check_ledger --repair` of such old days is seen after a restart.
    """

    REMEMBERED: Final = 10_000

    def __init__(self) -> None:
        self._spent: dict[ScopeName, tuple[date, tuple[int, int]]] = {}

    @staticmethod
    def end(day: date) -> date:
        return (day.replace(day=1) - timedelta(days=1)).replace(day=1)

    def spent(self, scope: Scope, end: date) -> tuple[int, int]:
        name = (scope.kind, scope.id)
        known_end, spent = self._spent.get(name, (None, (0, 0)))
        if known_end != end:
            if len(self._spent) >= self.REMEMBERED:
                self._spent.clear()
            totals = DayTotal.objects.filter(**{f"{scope.kind}_id": scope.id, "day__lt": end})
            sums = totals.aggregate(cost=Sum("cost_nano_usd"), neurons=Sum("neurons_micro"))
            spent = (int(sums["cost"] or 0), int(sums["neurons"] or 0))
            self._spent[name] = (end, spent)
        return spent


def decide(
    claims: Sequence[Claim],
    transaction: GroupTransaction,
    *,
    writer: uuid.UUID,
    now: datetime,
    closed: ClosedMonths,
    lapsed_by: datetime | None = None,
    tried: Collection[uuid.UUID] = (),
) -> dict[uuid.UUID, Shortfall | None]:
    """Set aside what fits, claim by claim, in every scope of a claim or in none. The transaction's
    commit is what makes it so.

    Leases that ended by `lapsed_by`, which is now unless it is said, count no more. What claims
    that were `tried` before, with an outcome that nobody knows, may have set aside is taken back
    first: behind the locks, which that earlier try held to its end."""
    by_name = {(scope.kind, scope.id): scope for claim in claims for scope in claim.scopes}
    _lock(by_name, transaction)
    if tried:
        release(tried, transaction)
    moment = now if lapsed_by is None else lapsed_by
    spent = _read(by_name, claims, moment, closed, transaction)
    decisions: dict[uuid.UUID, Shortfall | None] = {}
    reserved: list[Claim] = []
    for claim in claims:
        mine = [(scope, spent[scope.kind, scope.id]) for scope in claim.scopes]
        short = next(filter(None, (each.shortfall(scope, claim) for scope, each in mine)), None)
        decisions[claim.id] = short
        if short is None:
            cost, neurons = claim.set_aside
            for _, each in mine:
                each.add(claim.day, cost, neurons)
            reserved.append(claim)
    _insert(reserved, transaction, writer=writer, expires_at=now + LEASE)
    return decisions


_RESERVATIONS: Final = Insert(
    "keys_reservation",
    (
        *("id", "key_id", "owner_id", "day", "cost_nano_usd", "neurons_micro"),
        *("writer", "expires_at"),
    ),
)


def _insert(
    reserved: Sequence[Claim],
    transaction: GroupTransaction,
    *,
    writer: uuid.UUID,
    expires_at: datetime,
) -> None:
    if not reserved:
        return
    id, day = transaction.id, transaction.day
    last = (id(writer), transaction.moment(expires_at))
    rows = [
        (id(one.id), one.key_id, one.owner_id, day(one.day), *one.set_aside, *last)
        for one in reserved
    ]
    transaction.insert(_RESERVATIONS, rows)


def release(ids: Collection[uuid.UUID], transaction: GroupTransaction) -> None:
    transaction.change(
        "DELETE FROM keys_reservation WHERE id = ?", [(transaction.id(id),) for id in ids]
    )


def extend_leases(
    held: Collection[Claim], transaction: GroupTransaction, *, writer: uuid.UUID, now: datetime
) -> None:
    """Of all that a writer holds. What was swept, after hours in which it could extend nothing, is
    set aside again."""
    transaction.flush()
    own = Reservation.objects.filter(writer=writer)
    if own.update(expires_at=now + LEASE) < len(held):
        there = set(own.values_list("pk", flat=True))
        swept = [claim for claim in held if claim.id not in there]
        _insert(swept, transaction, writer=writer, expires_at=now + LEASE)


def sweep(now: datetime) -> None:
    """Delete what nobody came back for. Skips what another worker is deleting just now."""
    lapsed = Reservation.objects.filter(expires_at__lte=now - SWEPT_AFTER)
    if lapsed.exists():
        with group_transaction() as transaction:
            locked = lapsed.select_for_update(skip_locked=True)
            release(list(locked.values_list("pk", flat=True)[:SWEPT_AT_ONCE]), transaction)


def _lock(names: Collection[ScopeName], transaction: GroupTransaction) -> None:
    if connection.vendor == "postgresql":
        # In one order everywhere, so that two writers never wait for each other in a circle.
        locks = [(_LOCKS[kind] + scope_id,) for kind, scope_id in sorted(names)]
        transaction.change("SELECT pg_advisory_xact_lock(?)", locks)


_SPENDING_SQL: Final = """
    SELECT day, SUM(cost_nano_usd), SUM(neurons_micro) FROM (
        SELECT day, cost_nano_usd, neurons_micro FROM keys_daytotal
        WHERE {column} = ? AND day >= ?
        UNION ALL
        SELECT day, cost_nano_usd, neurons_micro FROM keys_reservation
        WHERE {column} = ? AND day >= ? AND expires_at > ?
    ) AS amounts GROUP BY day
"""
_SPENDING_OF: Final = {
    "key": _SPENDING_SQL.format(column="key_id"),
    "owner": _SPENDING_SQL.format(column="owner_id"),
}


def _read(
    scopes: dict[ScopeName, Scope],
    claims: Sequence[Claim],
    now: datetime,
    closed: ClosedMonths,
    transaction: GroupTransaction,
) -> dict[ScopeName, Spending]:
    """As far back as each scope's longest budget looks."""
    first_claimed = min([claim.day for claim in claims])
    moment = transaction.moment(now)
    spent: dict[ScopeName, Spending] = {}
    questions = []
    for name, scope in scopes.items():
        first = _longest_window(scope.limits).begin(first_claimed)
        before: dict[date, tuple[int, int]] = {}
        if first == date.min:
            first = closed.end(first_claimed)
            before[date.min] = closed.spent(scope, first)
        spent[name] = Spending(before)
        day = transaction.day(first)
        questions.append((_SPENDING_OF[scope.kind], (scope.id, day, scope.id, day, moment)))
    for spending, rows in zip(spent.values(), transaction.select(questions), strict=True):
        for day, cost, neurons in rows:
            spending.days[_day(day)] = (int(cost), int(neurons))
    return spent


def _longest_window(limits: Limits) -> Window:
    if limits.total_budget_nano_usd is not None:
        return Window.TOTAL
    return Window.DAY if limits.monthly_budget_nano_usd is None else Window.MONTH


def _day(value: Any) -> date:
    """SQLite gives a date as text."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def utc_day(epoch_s: float) -> date:
    return datetime.fromtimestamp(epoch_s, UTC).date()
