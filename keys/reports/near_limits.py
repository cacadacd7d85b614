"""Which limits are nearly used up, and whose requests were refused today. In UTC."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import Q, Sum
from django.utils import timezone

from keys.held_limits import Subject
from keys.ledger.totals import REFUSED
from keys.limit_texts import kind_text
from keys.models import LIMITS, DayTotal, Key, Limit, OwnerLimits, Team
from keys.reports.limit_use import LimitUse, read_use
from keys.reports.limits_in_force import limits_in_force
from keys.scopes import NO_LIMITS, HolderKind, Limits

_REFUSED_BY: Final = {
    "refused_requests": "requests per minute",
    "refused_tokens": "tokens per minute",
    "refused_concurrency": "requests at once",
    "refused_usd": "a budget",
    "refused_neurons": "neurons per day",
}


@dataclass(frozen=True, slots=True)
class NearLimit:
    """How much of a limit is used, and whose it is."""

    name: str
    use: LimitUse

    @property
    def subject(self) -> Subject:
        return self.use.limit.subject

    @property
    def what(self) -> str:
        """'daily budget', 'requests per day for @cf/moonshotai/*'."""
        subject = self.subject
        on = f" for {', '.join(subject.models)}" if subject.models else ""
        return f"{kind_text(subject.what, subject.window)}{on}"

    @property
    def key_id(self) -> int | None:
        return self.subject.holder_id if self.subject.holder_kind == "key" else None

    @property
    def owner_id(self) -> int | None:
        return self.subject.holder_id if self.subject.holder_kind == "owner" else None

    @property
    def percent(self) -> int:
        return self.use.percent or 0


@dataclass(frozen=True, slots=True)
class Refused:
    key_id: int
    name: str
    by: list[tuple[str, int]]
    count: int


def near_limits(now: datetime | None = None) -> list[NearLimit]:
    """The limits of `used_limits` that are used to NEAR_PERCENT or more."""
    return [one for one in used_limits(now) if one.use.is_near]


def used_limits(now: datetime | None = None) -> list[NearLimit]:
    """Limits over a day or longer of keys, owners, teams and everybody, the highest percentage
    first."""
    moment = now or timezone.now()
    names: dict[HolderKind, dict[int, str]] = {}
    limits = []
    for kind, columns, named in (_keys(), _owners(), _teams(), _EVERYBODY):
        names[kind] = named
        held = limits_in_force(kind, columns, moment) if columns else {}
        limits += [limit for each in held.values() for limit in each]
    near = [
        NearLimit(names[use.limit.subject.holder_kind][use.limit.subject.holder_id], use)
        for use in read_use(limits, moment)
        if use.used is not None
    ]
    return sorted(near, key=lambda one: (-one.percent, one.key_id is None, one.name))


def fullest_budgets(keys: Iterable[Key], now: datetime | None = None) -> dict[int, NearLimit]:
    """For each key with limits over a day or longer, the one with the highest percentage used."""
    moment = now or timezone.now()
    by_id = {key.pk: key for key in keys}
    held = limits_in_force("key", {pk: key.limits for pk, key in by_id.items()}, moment)
    fullest: dict[int, NearLimit] = {}
    for use in read_use([limit for each in held.values() for limit in each], moment):
        key = by_id[use.limit.subject.holder_id]
        known = fullest.get(key.pk)
        if use.used is not None and (known is None or known.percent < (use.percent or 0)):
            fullest[key.pk] = NearLimit(key.name, use)
    return fullest


_Holders = tuple[HolderKind, dict[int, Limits], dict[int, str]]
_EVERYBODY: Final[_Holders] = ("everybody", {0: NO_LIMITS}, {0: "everybody"})
_ANY_COLUMN: Final = Q(*((f"{field}__isnull", False) for field in LIMITS), _connector=Q.OR)


def _with_rows(kind: HolderKind) -> Any:
    return Limit.objects.filter(holder_kind=kind).order_by().values("holder_id")


def _keys() -> _Holders:
    limited = Q(pk__in=_with_rows("key")) | _ANY_COLUMN
    keys = list(Key.objects.filter(limited, revoked_at=None))
    return "key", {key.pk: key.limits for key in keys}, {key.pk: key.name for key in keys}


def _owners() -> _Holders:
    columns = {one.pk: one.limits for one in OwnerLimits.objects.filter(_ANY_COLUMN)}
    owners = get_user_model().objects.filter(Q(pk__in=_with_rows("owner")) | Q(pk__in=columns))
    names = {owner.pk: owner.get_username() for owner in owners}
    return "owner", {pk: columns.get(pk, NO_LIMITS) for pk in names}, names


def _teams() -> _Holders:
    names = dict(Team.objects.filter(pk__in=_with_rows("team")).values_list("pk", "name"))
    return "team", dict.fromkeys(names, NO_LIMITS), names


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
