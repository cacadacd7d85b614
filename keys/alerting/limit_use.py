"""How much of each limit of a calendar window is used, whoever holds it, from the totals of days.

Limits of a minute and of requests at once are left out: they are there to be met.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from keys.held_limits import (
    CALENDAR,
    HeldLimit,
    WindowName,
    effective,
    of_columns,
)
from keys.ledger.windows import Window
from keys.models import LIMITS, Key, Limit, OwnerLimits, Raise
from keys.reports.use_sums import Place, Used, add, counted, place_of, spans
from keys.scopes import HolderKind, Limits

CLOSED_AFTER: Final = timedelta(days=2)


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
        for holder_id, user in used if kind == "user" else ():
            users[holder_id].add(user)
        for limit in limits:
            subject = limit.subject
            for user in users[subject.holder_id] if kind == "user" else ("",):
                if (by_model := used.get(place_of(subject, user))) is not None:
                    yield LimitUse(limit, counted(subject, by_model), user)


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
            used: dict[Place, Used] = {}
            add(used, spans(kind, begin, open_from), kind, ids, by_model=by_model)
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
    found = {
        place: {model: dict(amounts) for model, amounts in used.items()}
        for place, used in before.items()
    }
    # Also what is booked ahead of this worker's clock.
    add(found, spans(kind, since, today + timedelta(days=2)), kind, ids, by_model=by_model)
    return found
