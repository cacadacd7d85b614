"""How much of each limit of a calendar window is used, whoever holds it, from the totals of days.

Limits of a minute and of requests at once are left out: they are there to be met.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from keys.held_limits import (
    CALENDAR,
    HeldLimit,
    What,
    WindowName,
    effective,
    of_columns,
)
from keys.ledger import month_totals
from keys.ledger.windows import Window
from keys.models import LIMITS, DayTotal, Key, Limit, OwnerLimits, Raise, TeamTotal
from keys.scopes import HolderKind, Limits

# What a limit counts → the sum that is counted.
_SUMS: Final[dict[What, Any]] = {
    "usd": Sum("cost_nano_usd"),
    "neurons": Sum("neurons_micro"),
    "requests": Sum("requests"),
    "tokens": Sum(F("prompt_tokens") + F("completion_tokens")),
}
# Where a holder's use stands, and the columns that tell holders apart.
_OF: Final[dict[HolderKind, tuple[str, ...]]] = {
    "key": ("key_id",),
    "owner": ("owner_id",),
    "team": ("team_id",),
    "user": ("key_id", "user"),
    "everybody": (),
}
# Holders that one statement names; of more it reads all.
NAMED_AT_ONCE: Final = 500

CLOSED_AFTER: Final = timedelta(days=2)

# A holder's id, and the person's name where the limit is for each user.
Place = tuple[int, str]
# By the model, what a holder has used.
Used = dict[str, dict[What, int]]


@dataclass(frozen=True, slots=True)
class LimitUse:
    """`user` is the person whose use it is, where the limit is for each user of a key."""

    limit: HeldLimit
    used: int
    user: str = ""

    @property
    def percent(self) -> int:
        return self.used * 100 // self.limit.amount


def limit_uses(now: datetime | None = None) -> Iterator[LimitUse]:
    """Of each limit in force with an amount above 0; of those for each user, of each who used
    anything in the window."""
    now = now or timezone.now()
    today = now.astimezone(UTC).date()
    by_place: dict[tuple[HolderKind, WindowName], list[HeldLimit]] = defaultdict(list)
    for limit in _in_force(now):
        if limit.subject.window in CALENDAR and limit.amount > 0:
            by_place[limit.subject.holder_kind, limit.subject.window].append(limit)
    for (kind, window), limits in by_place.items():
        used = _used(kind, Window(window), limits, today)
        users: dict[int, set[str]] = defaultdict(set)
        for holder_id, user in used:
            users[holder_id].add(user)
        for limit in limits:
            for user in users[limit.subject.holder_id]:
                counted = _counted(limit, used[limit.subject.holder_id, user])
                yield LimitUse(limit, counted, user)


def _in_force(now: datetime) -> tuple[HeldLimit, ...]:
    held: list[HeldLimit] = []
    working = Key.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    keys = set()
    # Without the rest of each row: there may be thousands.
    for pk, *amounts in working.values_list("pk", *LIMITS):
        keys.add(pk)
        if any(amounts):
            held += of_columns("key", pk, Limits(*amounts))
    for owner in OwnerLimits.objects.all():
        held += of_columns("owner", owner.pk, owner.limits)
    held += [limit.held() for limit in Limit.objects.order_by()]
    raises = [one.raised() for one in Raise.in_force(now).order_by()]
    limits = effective(held, raises, now.timestamp())
    return tuple(
        limit
        for limit in limits
        if limit.subject.holder_kind not in ("key", "user") or limit.subject.holder_id in keys
    )


class PastUse:
    """What was used on days that are over, kept for a day: they do not change, since no request
    runs for so long, and a limit in all would otherwise add up years at each look. A row that
    waited longer for the database, or a repair of so old a day, is noticed on the next day."""

    def __init__(self) -> None:
        self._known: dict[tuple[HolderKind, Window, bool], _Past] = {}

    def clear(self) -> None:
        self._known.clear()

    def read(
        self, kind: HolderKind, window: Window, by_model: bool, ids: set[int], today: date
    ) -> tuple[Mapping[Place, Used], date]:
        """What was used in the window before a day, and that day."""
        begin, open_from = window.begin(today), today - CLOSED_AFTER
        if begin >= open_from:
            return {}, begin
        known = self._known.get((kind, window, by_model))
        if known is None or known.before != open_from or not ids <= known.ids:
            spans: Iterable[QuerySet[Any]]
            if kind in ("team", "user"):
                spans = [TeamTotal.objects.filter(day__gte=begin, day__lt=open_from)]
            else:
                spans = month_totals.spans(begin, open_from)
            used: dict[Place, Used] = defaultdict(dict)
            for totals in spans:
                _add(used, totals, kind, by_model, ids)
            known = self._known[kind, window, by_model] = _Past(open_from, ids, used)
        return known.used, open_from


@dataclass(frozen=True, slots=True)
class _Past:
    before: date
    ids: set[int]
    used: Mapping[Place, Used]


past: Final = PastUse()


def _used(
    kind: HolderKind, window: Window, limits: Collection[HeldLimit], today: date
) -> dict[Place, Used]:
    """By holder, and by the person where it is of each user, what each model used in the window;
    all models together, under "", where no limit is of some models only."""
    by_model = any(limit.subject.models for limit in limits)
    ids = {limit.subject.holder_id for limit in limits}
    before, since = past.read(kind, window, by_model, ids, today)
    found: dict[Place, Used] = defaultdict(dict)
    for place, used in before.items():
        found[place] = {model: dict(amounts) for model, amounts in used.items()}
    table: Any = TeamTotal if kind in ("team", "user") else DayTotal
    _add(found, table.objects.filter(day__gte=since), kind, by_model, ids)
    return found


def _add(
    into: dict[Place, Used],
    totals: QuerySet[Any],
    kind: HolderKind,
    by_model: bool,
    ids: Collection[int],
) -> None:
    columns = _OF[kind]
    groups = (*columns, "model") if by_model else columns
    if columns and len(ids) <= NAMED_AT_ONCE:
        totals = totals.filter(**{f"{columns[0]}__in": ids})
    if kind == "user":
        totals = totals.exclude(user="")
    sums = {f"sum_{what}": each for what, each in _SUMS.items()}
    rows = totals.order_by()
    for row in rows.values(*groups).annotate(**sums) if groups else [rows.aggregate(**sums)]:
        holder = row[columns[0]] if columns else 0
        amounts = into[holder, row.get("user", "")].setdefault(row.get("model", ""), {})
        for what in _SUMS:
            amounts[what] = amounts.get(what, 0) + int(row[f"sum_{what}"] or 0)


def _counted(limit: HeldLimit, used: Used) -> int:
    what = limit.subject.what
    return sum(
        amounts.get(what, 0)
        for model, amounts in used.items()
        if not limit.subject.models or limit.subject.counts(model)
    )
