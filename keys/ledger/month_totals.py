"""Totals of past months, so that a report over a year reads few rows: a day has some hundred
totals, a year some hundred thousand.

A month's totals are made from its days' totals some days after its end. An old day may still
change, by a row that waited long for the database or by a repair: that transaction deletes the
month's totals, and they are made again. So writing a request costs no more than without them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Min, QuerySet

from keys.ledger.team_totals import TEAM_SUMS
from keys.ledger.totals import ADDED
from keys.ledger.transaction import GroupTransaction
from keys.models import DayTotal, MonthTotal, TeamMonthTotal, TeamTotal

# LATE_AFTER is shorter, so that a writer whose clock is behind still sees that the month is past.
LATE_AFTER: Final = timedelta(days=2)
MADE_AFTER: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Kind:
    """Totals of days and those of months: what identifies one of a month beside its day, the names
    that go with it, and what adds up."""

    days: Any
    months: Any
    places: tuple[str, ...]
    names: tuple[str, ...]
    sums: tuple[str, ...]


_NAMES: Final = ("key_name", "owner_name")
ALL: Final = Kind(DayTotal, MonthTotal, ("key_id", "owner_id", "model", "endpoint"), _NAMES, ADDED)
# With the team's name: `/metrics` counts by it, and no counter goes back.
TEAMS: Final = Kind(
    *(TeamTotal, TeamMonthTotal),
    ("team_id", "team_name", "key_id", "owner_id", "user", "model"),
    _NAMES,
    TEAM_SUMS,
)
KINDS: Final = (ALL, TEAMS)


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def made(of: Kind = ALL) -> list[date]:
    return list(of.months.objects.order_by("day").values_list("day", flat=True).distinct())


def make_next(today: date) -> date | None:
    """Make the totals of one past month that has none; None when there is no such month."""
    open_from = first_of_month(today - MADE_AFTER)
    for kind in KINDS:
        for month in _missing(kind, open_from):
            _make(kind, month)
            return month
    return None


def _missing(of: Kind, open_from: date) -> Iterator[date]:
    """The oldest first."""
    oldest = of.days.objects.filter(day__lt=open_from).aggregate(day=Min("day"))["day"]
    if oldest is None:
        return
    known = set(made(of))
    month = first_of_month(oldest)
    while month < open_from:
        if month not in known and days(month, next_month(month), of).exists():
            yield month
        month = next_month(month)


def forget_late(days: Iterable[date], today: date, transaction: GroupTransaction) -> None:
    """Call it before adding to days that may be old, in the same transaction."""
    open_from = first_of_month(today - LATE_AFTER)
    late = {first_of_month(day) for day in days if day < open_from}
    if late:
        transaction.flush()
        forget(late)


def forget(months: Iterable[date]) -> None:
    with transaction.atomic():
        _lock()
        for kind in KINDS:
            kind.months.objects.filter(day__in=months).delete()


def spans(begin: date, end: date, of: Kind = ALL) -> list[QuerySet[Any]]:
    """Querysets that together have all totals from `begin` to before `end`, the newest first: of
    months where they are made, else of days."""
    found: list[QuerySet[Any]] = []
    months = [month for month in made(of) if begin <= month and next_month(month) <= end]
    at = begin
    for month in (*months, end):
        if at < month:
            found.insert(0, days(at, month, of))
        at = next_month(month)
    if months:
        found.append(of.months.objects.filter(day__in=months))
    return found


def days(begin: date, end: date, of: Kind = ALL) -> QuerySet[Any]:
    found: QuerySet[Any] = of.days.objects.filter(day__gte=begin, day__lt=end)
    return found


def _make(of: Kind, month: date) -> None:
    adapt = connection.ops.adapt_datefield_value
    with transaction.atomic():
        _lock()
        if of.months.objects.filter(day=month).exists():
            return
        with connection.cursor() as cursor:
            cursor.execute(_make_sql(of), [adapt(month), adapt(month), adapt(next_month(month))])


def _lock() -> None:
    """Making a month's totals and changing its days exclude each other, of all kinds: one table
    stands for them."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE keys_monthtotal IN SHARE ROW EXCLUSIVE MODE")


@cache
def _make_sql(of: Kind) -> str:
    places = ", ".join(f'"{name}"' for name in of.places)
    into = (*of.names, *of.sums)
    values = (*(f"MAX({name})" for name in of.names), *(f"SUM({name})" for name in of.sums))
    return (
        f"INSERT INTO {of.months._meta.db_table} (day, {places}, {', '.join(into)}) "
        f"SELECT %s, {places}, {', '.join(values)} "
        f"FROM {of.days._meta.db_table} WHERE day >= %s AND day < %s GROUP BY {places}"
    )
