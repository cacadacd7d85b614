"""Checks totals against rows: computes every sum of every day again from the log.

A day is read in one snapshot of the database, and rows and totals are committed together, so
concurrent requests are in both or in neither. Memory is bounded by one day's totals. Days of which
`prune_logs` may have deleted rows are left out, and so are refusals, which have no rows. Months are
checked against their days.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from keys.ledger import account_totals, month_totals, team_totals
from keys.ledger.account_totals import AccountPlace
from keys.ledger.snapshot import snapshot
from keys.ledger.team_totals import TeamPlace
from keys.ledger.totals import ADDED, FROM_ROWS, TIMES, Place
from keys.ledger.totals_of_rows import SUMS_OF_ROWS, rows_of
from keys.models import (
    DURATION_COUNTS,
    LATENCY_BOUNDS_MS,
    TTFT_COUNTS,
    DayTotal,
    PruneMark,
    RequestLog,
)

DayRows = dict[Place, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of one total that differs from the sum of its rows."""

    place: Place | TeamPlace | AccountPlace
    field: str
    rows: int
    total: int


def first_checked_day() -> date | None:
    """The first day of which no rows were pruned; None if nothing was ever pruned."""
    pruned_before = PruneMark.current()
    if pruned_before is None:
        return None
    whole = pruned_before.astimezone(UTC)
    is_midnight = whole.time() == time()
    return whole.date() if is_midnight else whole.date() + timedelta(days=1)


def days_to_check() -> Iterator[date]:
    """Each day with rows or totals, in order."""
    day = first_checked_day() or date.min
    while True:
        totals = DayTotal.objects.filter(day__gte=day).aggregate(first=Min("day"))["first"]
        rows = RequestLog.objects.order_by("started_at", "id")
        if day > date.min:
            rows = rows.filter(started_at__gte=_midnight(day))
        moment = rows.values_list("started_at", flat=True).first()
        found = [each for each in (totals, moment and moment.astimezone(UTC).date()) if each]
        if not found:
            return
        yield min(found)
        day = min(found) + timedelta(days=1)


def differences(day: date) -> list[Difference]:
    with snapshot():
        first = first_checked_day()
        if first is not None and day < first:
            return []
        computed, stored = sums_of_rows(day), _stored(day)
        compared: list[tuple[Mapping[Any, Any], Mapping[Any, Any], Iterable[str]]]
        compared = [(computed, stored, FROM_ROWS)]
        for extra in (team_totals, account_totals):
            if extra.KEPT.has_whole(day):
                compared += [(extra.sums_of_rows(day), extra.KEPT.stored(day), extra.KEPT.sums)]
    return [difference for each in compared for difference in _compared(*each)]


def _compared(
    computed: Mapping[Any, dict[str, Any]],
    stored: Mapping[Any, dict[str, Any]],
    fields: Iterable[str],
) -> Iterator[Difference]:
    for place in sorted(computed.keys() | stored.keys()):
        rows, total = computed.get(place, _NOTHING), stored.get(place, _NOTHING)
        for field in fields:
            if rows[field] != total[field]:
                yield Difference(place, field, rows[field], total[field])


def months_to_check() -> list[date]:
    return sorted({month for kind, _ in _OF_MONTHS for month in month_totals.made(kind)})


def month_differences(month: date) -> list[Difference]:
    """The differences between a month's totals and the sums of its days' totals."""
    until = month_totals.next_month(month)
    found: list[Difference] = []
    with snapshot():
        for kind, place in _OF_MONTHS:
            stored = _month_sums(kind, place, kind.months.objects.filter(day=month), month)
            # None where they are deleted meanwhile, or never were: soon they are made.
            if stored:
                days = month_totals.days(month, until, kind)
                found += _compared(_month_sums(kind, place, days, month), stored, kind.sums)
    return found


_OF_MONTHS: Final[tuple[tuple[month_totals.Kind, Any], ...]] = (
    (month_totals.ALL, Place),
    (month_totals.TEAMS, TeamPlace),
)


def _month_sums(
    kind: month_totals.Kind, place: Any, totals: QuerySet[Any], month: date
) -> dict[Any, dict[str, Any]]:
    groups = totals.order_by().values(*place._fields[1:])
    sums = groups.annotate(**{f"sum_{name}": Sum(name) for name in kind.sums})
    return {
        place(month, *(row[name] for name in place._fields[1:])): {
            name: int(row[f"sum_{name}"] or 0) for name in kind.sums
        }
        for row in sums.iterator(2000)
    }


def repair(day: date) -> None:
    """Set the day's totals to the sums of its rows. Writers wait meanwhile; refusals are kept."""
    with transaction.atomic():
        # Lock months first, in the same order as the ledger, to avoid a deadlock.
        month_totals.forget([month_totals.first_of_month(day)])
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE keys_daytotal IN EXCLUSIVE MODE")
        first = first_checked_day()
        if first is not None and day < first:
            return
        computed = sums_of_rows(day)
        for total in DayTotal.objects.filter(day=day).iterator(500):
            place = Place(day, total.key_id, total.owner_id, total.model, total.endpoint)
            for field, value in computed.pop(place, dict.fromkeys(FROM_ROWS, 0)).items():
                setattr(total, field, value)
            total.save()
        DayTotal.objects.bulk_create(
            [DayTotal(**place._asdict(), **sums) for place, sums in computed.items()],
            batch_size=500,
        )
        for extra in (team_totals, account_totals):
            extra.KEPT.lock()
            extra.KEPT.set_to(extra.sums_of_rows(day), day)


def sums_of_rows(day: date) -> DayRows:
    grouped: Any = (
        rows_of(day)
        .annotate(key=Coalesce("key_id", 0), owner=Coalesce("owner_id", 0))
        .values("key", "owner", "model", "endpoint")
        .annotate(key_name=Max("key_name"), owner_name=Max("owner_name"), **_SUMS)
    )
    return {
        Place(day, row["key"], row["owner"], row["model"], row["endpoint"]): {
            **{name: int(row[f"sum_{name}"] or 0) for name in FROM_ROWS},
            "key_name": row["key_name"],
            "owner_name": row["owner_name"],
        }
        for row in grouped.iterator(2000)
    }


def _stored(day: date) -> DayRows:
    totals = DayTotal.objects.filter(day=day).values(*Place._fields, *FROM_ROWS)
    return {Place(*(row[name] for name in Place._fields)): row for row in totals.iterator(2000)}


def _histogram_sums(column: str, names: tuple[str, ...]) -> dict[str, Any]:
    bounds: list[int | None] = [None, *LATENCY_BOUNDS_MS, None]
    sums = {}
    for name, above, up_to in zip(names, bounds, bounds[1:], strict=False):
        within = Q(**{f"{column}__isnull": False})
        if above is not None:
            within &= Q(**{f"{column}__gt": above})
        if up_to is not None:
            within &= Q(**{f"{column}__lte": up_to})
        sums[f"sum_{name}"] = Count("pk", filter=within)
    return sums


_SUMS: Final[dict[str, Any]] = {
    **SUMS_OF_ROWS,
    **{f"sum_{name}": Sum(name) for name in TIMES},
    **_histogram_sums("ttft_ms", TTFT_COUNTS),
    **_histogram_sums("duration_ms", DURATION_COUNTS),
}
_NOTHING: Final[dict[str, Any]] = dict.fromkeys((*ADDED, *account_totals.WAITED), 0)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
