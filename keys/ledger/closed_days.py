"""Sums of what scopes have used, by day and model; those of past days are read once and kept.

A window of all time would otherwise add up years for each claim, and a month of everybody's use all
keys' days. Past days do not change: no request runs for so long. A row that waits longer for the
database, or a `check_ledger --repair` of so old a day, is noticed on a later day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

from django.db.models import F, QuerySet, Sum

from keys.ledger import month_totals
from keys.ledger.claims import Amounts
from keys.ledger.transaction import GroupTransaction
from keys.models import DayTotal
from keys.request_scopes import BudgetScope
from keys.scopes import HolderKind

# Of one scope, by day and model. The model is "" where no budget of the scope is on some models
# only; the day is the first of all for what was used before the days that matter one by one.
Days = dict[date, dict[str, Amounts]]

# Holders whose totals of a day are many rows.
_MANY: Final[frozenset[HolderKind]] = frozenset({"team", "everybody"})
_CLOSED_AFTER: Final = timedelta(days=3)


_ROWS: Final = """
        SELECT day, {model} AS model, {sign} cost_nano_usd AS cost_nano_usd,
        {sign} neurons_micro AS neurons_micro, {sign} requests AS requests,
        {sign} (prompt_tokens + completion_tokens) AS tokens FROM {table}
        WHERE {whose} AND day >= ? {before}"""
# Who names nobody has used what the key has and no person of it: a row of somebody without team and
# name is in no total but the key's.
_NAMED: Final = "key_id = ? AND \"user\" > ''"


@dataclass(frozen=True, slots=True)
class Source:
    """Where what a scope has used is found, and in the reservations what it may use."""

    table: str
    whose: str
    values: tuple[Any, ...]
    # Whether what named persons used of it is left out.
    is_of_nobody: bool = False

    @property
    def of_reservations(self) -> str:
        """Which reservations are the scope's, with `values`."""
        return f"{self.whose} AND \"user\" = ''" if self.is_of_nobody else self.whose

    def sums(self, by_model: bool, beside: str = "", *, ends: bool = False) -> str:
        """A statement for sums by day, and by model if asked. `beside` are further rows of the same
        columns; with `ends` they are those before a day."""
        return _sums_sql(self.table, self.whose, self.is_of_nobody, by_model, beside, ends)

    def values_with(self, *days: Any) -> tuple[Any, ...]:
        """The values of `sums`, before those of the rows beside."""
        values = (*self.values, *days)
        return values * 2 if self.is_of_nobody else values


@cache
def _sums_sql(
    table: str, whose: str, is_of_nobody: bool, by_model: bool, beside: str, ends: bool
) -> str:
    """There are a few of them in all: values are no part of it."""
    model, before = "model" if by_model else "''", "AND day < ?" if ends else ""
    parts = {"model": model, "before": before}
    rows = _ROWS.format(sign="", table=table, whose=whose, **parts)
    if is_of_nobody:
        named = _ROWS.format(sign="-", table="keys_teamtotal", whose=_NAMED, **parts)
        rows = f"{rows} UNION ALL {named}"
    return f"""
    SELECT day, model, SUM(cost_nano_usd), SUM(neurons_micro), SUM(requests), SUM(tokens) FROM (
        {rows} {beside}
    ) AS amounts GROUP BY day, model
"""


_SOURCES: Final[dict[HolderKind, tuple[str, str]]] = {
    "key": ("keys_daytotal", "key_id = ?"),
    "owner": ("keys_daytotal", "owner_id = ?"),
    "team": ("keys_teamtotal", "team_id = ?"),
    "user": ("keys_teamtotal", 'key_id = ? AND "user" = ?'),
    "everybody": ("keys_daytotal", "1 = 1"),
}


def source_of(scope: BudgetScope) -> Source:
    table, whose = _SOURCES[scope.kind]
    values: tuple[Any, ...] = (scope.id,)
    if scope.kind == "user":
        if not scope.user:
            return Source("keys_daytotal", "key_id = ?", values, is_of_nobody=True)
        values = (scope.id, scope.user)
    elif scope.kind == "everybody":
        values = ()
    return Source(table, whose, values)


def days_of(rows: Iterable[Sequence[Any]]) -> Days:
    days: Days = {}
    for day, model, *amounts in rows:
        days.setdefault(_day(day), {})[model] = Amounts(*map(int, amounts))
    return days


class ClosedDays:
    """What scopes had used on days that are over, for one process."""

    REMEMBERED: Final = 10_000

    def __init__(self) -> None:
        self._known: dict[tuple[HolderKind, int, str, bool], tuple[date, date, Days]] = {}

    def read(
        self, scope: BudgetScope, first: date, claimed: date, transaction: GroupTransaction
    ) -> tuple[Days, date]:
        """What was used from `first` on that need not be read for each claim, and the first day
        that must be, for a scope that the first claim of a group meets on `claimed`."""
        # No window but that of all time begins before.
        one_by_one = _first_of_last_month(claimed)
        until = one_by_one if first == date.min else first
        if scope.kind in _MANY:
            until = max(until, claimed - _CLOSED_AFTER)
        if until == first:
            return {}, first
        name = (*scope.counted_as, scope.is_on_some_models)
        known_first, known_until, days = self._known.get(name, (date.max, date.max, {}))
        if (known_first, known_until) != (first, until):
            if len(self._known) >= self.REMEMBERED:
                self._known.clear()
            days = {}
            begin = first
            if first == date.min:
                begin = one_by_one
                days[date.min] = _sums_before(scope, begin, transaction)
            days |= _sums_between(scope, begin, until, transaction)
            self._known[name] = first, until, days
        return dict(days), until


def _first_of_last_month(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def _sums_between(
    scope: BudgetScope, begin: date, end: date, transaction: GroupTransaction
) -> Days:
    if begin >= end:
        return {}
    source = source_of(scope)
    statement = source.sums(scope.is_on_some_models, ends=True)
    values = source.values_with(transaction.day(begin), transaction.day(end))
    [rows] = transaction.select([(statement, values)])
    return days_of(rows)


def _sums_before(
    scope: BudgetScope, end: date, transaction: GroupTransaction
) -> dict[str, Amounts]:
    transaction.flush()
    sums: dict[str, Amounts] = {}
    for sign, totals in _totals_before(scope, end):
        rows = totals.order_by().values("model").annotate(**_SUMS)
        for model, *amounts in rows.values_list("model", *_SUMS):
            name = model if scope.is_on_some_models else ""
            added = Amounts(*(sign * int(amount or 0) for amount in amounts))
            sums[name] = sums.get(name, Amounts()).plus(added)
    return sums


def _totals_before(scope: BudgetScope, end: date) -> list[tuple[int, QuerySet[Any]]]:
    """Totals, and 1 or -1 for those to add and those to take away."""
    if scope.kind == "everybody":
        return [(1, totals) for totals in month_totals.spans(date.min, end)]
    days = DayTotal.objects.filter(day__lt=end)
    if scope.kind in ("key", "owner"):
        return [(1, days.filter(**{f"{scope.kind}_id": scope.id}))]
    teams = month_totals.spans(date.min, end, month_totals.TEAMS)
    if scope.kind == "team":
        return [(1, totals.filter(team_id=scope.id)) for totals in teams]
    if scope.user:
        return [(1, totals.filter(key_id=scope.id, user=scope.user)) for totals in teams]
    named = [(-1, totals.filter(key_id=scope.id, user__gt="")) for totals in teams]
    return [(1, days.filter(key_id=scope.id)), *named]


_SUMS: Final[dict[str, Any]] = {
    "sum_usd": Sum("cost_nano_usd"),
    "sum_neurons": Sum("neurons_micro"),
    "sum_requests": Sum("requests"),
    "sum_tokens": Sum(F("prompt_tokens") + F("completion_tokens")),
}


def _day(value: Any) -> date:
    """SQLite returns a date as text."""
    return value if isinstance(value, date) else date.fromisoformat(value)
