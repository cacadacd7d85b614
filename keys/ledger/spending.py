"""How much scopes have used and reserved, read from totals and reservations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import Sum

from keys.ledger.claims import BUDGETS, MILLION, Budget, Claim, Shortfall
from keys.ledger.transaction import GroupTransaction
from keys.ledger.windows import Window
from keys.models import DayTotal
from keys.scopes import Limits, Scope, ScopeKind

ScopeName = tuple[ScopeKind, int]


# A request that wishes more than it needs is granted at most one part in this many of what a budget
# has left, so that concurrent requests find room as well.
WISH_SHARE: Final = 8


@dataclass(slots=True)
class Spending:
    """What one scope has used and reserved, by day: (nano-USD, micro-neurons)."""

    days: dict[date, tuple[int, int]]
    # What each budget has left, by the day of a claim: nearly always a group has claims of one day.
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

    def grantable(self, claim: Claim) -> int:
        """Millionths of what the claim wishes beyond its need that leave room for others. For one
        that does not fall short.
        """
        part = MILLION
        for budget, _, left in self._rooms.get(claim.day, ()):
            needed, wished = claim.amount(budget.unit) or 0, claim.wished(budget.unit)
            if wished is not None and wished > needed:
                room = min(wished, max(needed, left // WISH_SHARE)) - needed
                part = min(part, room * MILLION // (wished - needed))
        return part

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
    """What scopes had spent until the end of the month before last, read once a month.

    No request runs that long, so these sums do not change, and a total budget need not add up years
    of days for each claim. A `check_ledger --repair` of such old days is noticed after a restart.
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


def read_spending(
    scopes: dict[ScopeName, Scope],
    claims: Sequence[Claim],
    now: datetime,
    closed: ClosedMonths,
    transaction: GroupTransaction,
) -> dict[ScopeName, Spending]:
    """Reads as far back as each scope's longest budget window."""
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
    """SQLite returns a date as text."""
    return value if isinstance(value, date) else date.fromisoformat(value)
