"""Which budgets are nearly used up, and whose requests were refused today. In UTC."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from keys.ledger import month_totals
from keys.ledger.totals import REFUSED
from keys.models import DayTotal, Key, Limited, OwnerLimits

# From this percentage on a budget is nearly used up.
NEAR_PERCENT: Final = 80

_BUDGETS: Final = (
    ("daily_budget_nano_usd", "daily budget", "day", "cost_nano_usd"),
    ("monthly_budget_nano_usd", "monthly budget", "month", "cost_nano_usd"),
    ("total_budget_nano_usd", "total budget", "total", "cost_nano_usd"),
    ("daily_neurons_micro", "daily neurons", "day", "neurons_micro"),
)
_REFUSED_BY: Final = {
    "refused_requests": "requests per minute",
    "refused_tokens": "tokens per minute",
    "refused_concurrency": "requests at once",
    "refused_usd": "a budget",
    "refused_neurons": "neurons per day",
}

# By the id of a key or owner, what it used.
Used = dict[int, dict[str, int]]


@dataclass(frozen=True, slots=True)
class NearLimit:
    """How much of a budget is used. `key_id` is None for the budget of an owner."""

    key_id: int | None
    owner_id: int | None
    name: str
    what: str
    field: str
    used: int
    limit: int

    @property
    def percent(self) -> int:
        return self.used * 100 // self.limit


@dataclass(frozen=True, slots=True)
class Refused:
    key_id: int
    name: str
    by: list[tuple[str, int]]
    count: int


def near_limits(now: datetime | None = None) -> list[NearLimit]:
    """Budgets that are used to NEAR_PERCENT or more, the highest percentage first."""
    now = now or timezone.now()
    any_budget = Q(*((f"{field}__isnull", False) for field, *_ in _BUDGETS), _connector=Q.OR)
    keys = list(Key.objects.filter(any_budget, revoked_at=None))
    owners = list(OwnerLimits.objects.filter(any_budget).select_related("owner"))
    found = [*_budgets(((limits.pk, limits) for limits in owners), "owner_id", now)]
    found += _budgets(((key.pk, key) for key in keys), "key_id", now)
    near = [one for one in found if one.used * 100 >= one.limit * NEAR_PERCENT]
    return sorted(near, key=lambda one: (-one.percent, one.key_id is None, one.name))


def fullest_budgets(keys: Iterable[Key], now: datetime | None = None) -> dict[int, NearLimit]:
    """For each key with budgets, the budget with the highest percentage used."""
    budgets = _budgets(((key.pk, key) for key in keys), "key_id", now or timezone.now())
    fullest: dict[int, NearLimit] = {}
    for one in budgets:
        assert one.key_id is not None
        known = fullest.get(one.key_id)
        if known is None or known.percent < one.percent:
            fullest[one.key_id] = one
    return fullest


def _budgets(
    limited: Iterable[tuple[int, Limited]], column: str, now: datetime
) -> Iterable[NearLimit]:
    pairs = list(limited)
    if not pairs:
        return
    with_total = [pk for pk, one in pairs if one.total_budget_nano_usd is not None]
    used: dict[str, Used] = {
        "day": _used(Q(day=_today(now)), column),
        "month": _used(Q(day__gte=_today(now).replace(day=1)), column),
        "total": _used_ever(Q(**{f"{column}__in": with_total}), column, now) if with_total else {},
    }
    for pk, one in pairs:
        for field, what, window, summed in _BUDGETS:
            limit = getattr(one, field)
            spent = used[window].get(pk, {}).get(summed, 0)
            if limit is not None:
                yield NearLimit(
                    key_id=pk if isinstance(one, Key) else None,
                    owner_id=None if isinstance(one, Key) else pk,
                    name=one.name if isinstance(one, Key) else str(one),
                    what=what,
                    field=field,
                    used=spent,
                    limit=limit,
                )


def _used_ever(within: Q, column: str, now: datetime) -> Used:
    used: Used = {}
    for totals in month_totals.spans(date.min, _today(now) + timedelta(days=1)):
        for pk, amounts in _sums(totals.filter(within), column).items():
            into = used.setdefault(pk, dict.fromkeys(amounts, 0))
            for name, amount in amounts.items():
                into[name] += amount
    return used


def _used(within: Q, column: str) -> Used:
    return _sums(DayTotal.objects.filter(within), column)


def _sums(totals: QuerySet[Any], column: str) -> Used:
    rows = totals.order_by().values(column)
    sums = rows.annotate(cost=Sum("cost_nano_usd"), neurons=Sum("neurons_micro"))
    return {
        row[column]: {
            "cost_nano_usd": int(row["cost"] or 0),
            "neurons_micro": int(row["neurons"] or 0),
        }
        for row in sums
    }


def refused_today(now: datetime | None = None) -> list[Refused]:
    """Keys with requests that a limit refused today, the most refusals first."""
    rows = DayTotal.objects.filter(day=_today(now or timezone.now())).order_by()
    sums = rows.values("key_id", "key_name").annotate(**{f"sum_{n}": Sum(n) for n in REFUSED})
    found = [_refused(row) for row in sums]
    return sorted((one for one in found if one.count), key=lambda one: (-one.count, one.name))


def _refused(row: Mapping[str, Any]) -> Refused:
    by = [(words, int(row[f"sum_{name}"] or 0)) for name, words in _REFUSED_BY.items()]
    return Refused(
        key_id=row["key_id"],
        name=row["key_name"],
        by=[(words, count) for words, count in by if count],
        count=sum(count for _, count in by),
    )


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()
