"""The sums of months that are over, for what looks back a year: a day's totals are some hundreds,
a year's some hundred thousand.

A month is made of its days' totals some days after its end, and then stands still. Whoever changes
an old day all the same, for a row that had to wait long for the database or for a repair, takes its
month away in the same transaction, and it is made anew. So what requests cost does not change.
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

# The first is shorter, so that no clock that is a little behind takes a made month for an open one.
LATE_AFTER: Final = timedelta(days=2)
MADE_AFTER: Final = timedelta(days=3)


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def made() -> list[date]:
    return list(MonthTotal.objects.order_by("day").values_list("day", flat=True).distinct())


def make_next(today: date) -> date | None:
    """Make the oldest month that is over and not made; None when there is none."""
    open_from = first_of_month(today - MADE_AFTER)
    oldest = DayTotal.objects.filter(day__lt=open_from).aggregate(day=Min("day"))["day"]
    if oldest is None:
        return None
    known = set(made())
    month = first_of_month(oldest)
    while month < open_from:
        if month not in known and _days(month, next_month(month)).exists():
            _make(month)
            return month
        month = next_month(month)
    return None


def forget_late(days: Iterable[date], today: date, transaction: GroupTransaction) -> None:
    """For whoever adds to days that may be old: call it before, in the same transaction."""
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
    """The totals from `begin` on and before `end`, the newest first: of months where they are made,
    else of days. Together they are all."""
    found: list[QuerySet[Any]] = []
    months = [month for month in made() if begin <= month and next_month(month) <= end]
    at = begin
    for month in (*months, end):
        if at < month:
            found.insert(0, _days(at, month))
        at = next_month(month)
    if months:
        found.append(MonthTotal.objects.filter(day__in=months))
    return found


def _days(begin: date, end: date) -> QuerySet[DayTotal]:
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
    """Whoever makes a month waits for those who change its days, and they for him."""
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
