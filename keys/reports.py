"""Questions about use, answered from the totals. They belong on a thread, not on the loop."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import Q, Sum
from django.utils import timezone

from keys.budgets import Window
from keys.models import DayTotal, Reservation
from keys.totals import ADDED, REFUSED


@dataclass(frozen=True, slots=True)
class Usage:
    """`reserved_…` is what running requests may use at most, beside what is used."""

    cost_nano_usd: int
    neurons_micro: int
    prompt_tokens: int
    completion_tokens: int
    images: int
    requests: int
    reserved_nano_usd: int
    reserved_neurons_micro: int


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """By calendar day and month, UTC. `refused_today` is by what refused: `totals.REFUSED`."""

    day: Usage
    month: Usage
    total: Usage
    refused_today: dict[str, int]


_SUMMED: Final = (
    "cost_nano_usd",
    "neurons_micro",
    "prompt_tokens",
    "completion_tokens",
    "images",
    "requests",
)
_RESERVED: Final = {"cost_nano_usd": "reserved_nano_usd", "neurons_micro": "reserved_neurons_micro"}


def key_usage(key_id: int, now: datetime | None = None) -> KeyUsage:
    return _usage(Q(key_id=key_id), now)


def owner_usage(owner_id: int, now: datetime | None = None) -> KeyUsage:
    """Of all keys that the owner has and had."""
    return _usage(Q(owner_id=owner_id), now)


def _usage(whose: Q, now: datetime | None) -> KeyUsage:
    now = (now or timezone.now()).astimezone(UTC)
    # Before the totals: what settles in between is then counted twice, rather than not at all.
    running = Reservation.objects.filter(whose, expires_at__gt=now)
    reserved = running.aggregate(**_sums(_RESERVED, now.date()))
    used = DayTotal.objects.filter(whose).aggregate(
        **_sums(_SUMMED, now.date()),
        **{name: Sum(name, filter=Q(day=now.date())) for name in REFUSED},
    )
    windows = {
        window.value: Usage(
            **{name: int(used[f"{window.value}_{name}"] or 0) for name in _SUMMED},
            **{
                field: int(reserved[f"{window.value}_{name}"] or 0)
                for name, field in _RESERVED.items()
            },
        )
        for window in Window
    }
    return KeyUsage(**windows, refused_today={name: int(used[name] or 0) for name in REFUSED})


def _sums(names: Iterable[str], today: date) -> dict[str, Any]:
    sums = {}
    for window in Window:
        within = None if window is Window.TOTAL else _within(window, today)
        for name in names:
            sums[f"{window.value}_{name}"] = Sum(name, filter=within)
    return sums


def _within(window: Window, today: date) -> Q:
    return Q(day__gte=window.begin(today)) & Q(day__lt=window.end(today))


def sums_by_day(
    begin: date, end: date, whose: Q | None = None, by: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Every sum of each day from `begin` on and before `end`, for charts: also by `by`, such as
    "model". Histograms are in it, for `totals.percentile_ms`."""
    totals = DayTotal.objects.filter(day__gte=begin, day__lt=end)
    if whose is not None:
        totals = totals.filter(whose)
    groups = ("day", *by)
    rows = totals.values(*groups).annotate(**{f"sum_{name}": Sum(name) for name in ADDED})
    return [
        {
            **{name: row[name] for name in groups},
            **{name: int(row[f"sum_{name}"] or 0) for name in ADDED},
        }
        for row in rows.order_by(*groups)
    ]
