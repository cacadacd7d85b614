"""Totals of past months, so that a report over a year reads few rows: a day has some hundred
totals, a year some hundred thousand.

A month's totals are made from its days' totals some days after its end. An old day may still
change, by a row that waited long for the database or by a repair: that transaction deletes the
month's totals, and they are made again. So writing a request costs no more than without them.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Min, QuerySet

from keys.ledger.totals import ADDED
from keys.ledger.transaction import GroupTransaction
from keys.models import DayTotal, MonthTotal

# LATE_AFTER is shorter, so that a writer whose clock is behind still sees that the month is past.
LATE_AFTER: Final = timedelta(days=2)
MADE_AFTER: Final = timedelta(days=3)


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def made() -> list[date]:
    return list(MonthTotal.objects.order_by("day").values_list("day", flat=True).distinct())


def make_next(today: date) -> date | None:
    """Make the totals of the oldest past month that has none; None when there is no such month."""
    open_from = first_of_month(today - MADE_AFTER)
    oldest = DayTotal.objects.filter(day__lt=open_from).aggregate(day=Min("day"))["day"]
    if oldest is None:
        return None
    known = set(made())
    month = first_of_month(oldest)
    while month < open_from:
        if month not in known and days(month, next_month(month)).exists():
            _make(month)
            return month
        month = next_month(month)
    return None


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
        MonthTotal.objects.filter(day__in=months).delete()


def spans(begin: date, end: date) -> list[QuerySet[Any]]:
    """Querysets that together have all totals from `begin` to before `end`, the newest first: of
    months where they are made, else of days."""
    found: list[QuerySet[Any]] = []
    months = [month for month in made() if begin <= month and next_month(month) <= end]
    at = begin
    for month in (*months, end):
        if at < month:
            found.insert(0, days(at, month))
        at = next_month(month)
    if months:
        found.append(MonthTotal.objects.filter(day__in=months))
    return found


def days(begin: date, end: date) -> QuerySet[DayTotal]:
    return DayTotal.objects.filter(day__gte=begin, day__lt=end)


def _make(month: date) -> None:
    adapt = connection.ops.adapt_datefield_value
    with transaction.atomic():
        _lock()
        if MonthTotal.objects.filter(day=month).exists():
            return
        with connection.cursor() as cursor:
            cursor.execute(_make_sql(), [adapt(month), adapt(month), adapt(next_month(month))])


def _lock() -> None:
    """Making a month's totals and changing its days exclude each other."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE keys_monthtotal IN SHARE ROW EXCLUSIVE MODE")


@cache
def _make_sql() -> str:
    places = "key_id, owner_id, model, endpoint"
    sums = ", ".join(f"SUM({name})" for name in ADDED)
    return (
        f"INSERT INTO keys_monthtotal (day, {places}, key_name, owner_name, {', '.join(ADDED)}) "
        f"SELECT %s, {places}, MAX(key_name), MAX(owner_name), {sums} "
        f"FROM keys_daytotal WHERE day >= %s AND day < %s GROUP BY {places}"
    )
