"""How much of limits is used, read as the ledger reads it that decides them: totals of days, and
what running requests have reserved. Call it on a thread."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import F
from django.utils import timezone

from keys.held_limits import HeldLimit, Subject
from keys.ledger.windows import Window
from keys.models import Reservation
from keys.reports.use_sums import COLUMNS, Place, Used, add, counted, place_of, spans
from keys.scopes import HolderKind

# From this percentage on a limit is nearly used up.
NEAR_PERCENT: Final = 80


@dataclass(frozen=True, slots=True)
class LimitUse:
    """A limit with what is used of it. `used` is None where the database does not know: of a
    minute, of requests at once, and of a person behind a key who is not named."""

    limit: HeldLimit
    used: int | None
    # The most that running requests may use in addition.
    reserved: int = 0
    resets_at: datetime | None = None

    @property
    def remaining(self) -> int | None:
        if self.used is None:
            return None
        return max(0, self.limit.amount - self.used - self.reserved)

    @property
    def percent(self) -> int | None:
        """Of the limit, running requests included."""
        if self.used is None:
            return None
        if self.limit.amount == 0:
            return 100
        return (self.used + self.reserved) * 100 // self.limit.amount

    @property
    def is_near(self) -> bool:
        return self.percent is not None and self.percent >= NEAR_PERCENT

    @property
    def is_full(self) -> bool:
        return self.percent is not None and self.percent >= 100


# Totals that are read together.
_Read = tuple[HolderKind, Window]


def read_use(
    limits: Sequence[HeldLimit], now: datetime | None = None, user: str = ""
) -> list[LimitUse]:
    """The use of all these limits, in a few queries however many they are. `user` is the person
    for whom limits of each person behind a key are meant."""
    moment = (now or timezone.now()).astimezone(UTC)
    counted = [limit for limit in limits if _is_counted(limit.subject, user)]
    # In this order: a request that settles in between is counted twice, rather than not at all.
    running = _running(moment) if counted else {}
    used = _read_totals(counted, moment.date(), user)
    return [
        _use(limit, used, running, moment.date(), user)
        if _is_counted(limit.subject, user)
        else LimitUse(limit, None)
        for limit in limits
    ]


def _is_counted(subject: Subject, user: str) -> bool:
    if subject.window in ("", "minute"):
        return False
    return subject.holder_kind != "user" or bool(user)


def _use(
    limit: HeldLimit,
    used: dict[_Read, dict[Place, Used]],
    running: dict[HolderKind, dict[Place, list[dict[str, Any]]]],
    today: date,
    user: str,
) -> LimitUse:
    subject = limit.subject
    window, place = Window(subject.window), place_of(subject, user)
    begin, end = window.begin(today), window.end(today)
    reserved = sum(
        one[subject.what]
        for one in running[subject.holder_kind].get(place, ())
        if begin <= one["day"]
        and (end is None or one["day"] < end)
        # One of an unknown model counts as one of any.
        and (one["model"] is None or subject.counts(one["model"]))
    )
    reset = window.reset_at(today)
    resets_at = None if reset is None else datetime.fromtimestamp(reset, UTC)
    by_model = used[subject.holder_kind, window].get(place, {})
    return LimitUse(limit, counted(subject, by_model), reserved, resets_at)


def _running(now: datetime) -> dict[HolderKind, dict[Place, list[dict[str, Any]]]]:
    """Reservations by their holders. There are only as many as running requests."""
    rows = Reservation.objects.of_running_requests(now).values(
        *("key_id", "owner_id", "team_id", "user", "model", "day", "requests", "tokens"),
        usd=F("cost_nano_usd"),
        neurons=F("neurons_micro"),
    )
    running: dict[HolderKind, dict[Place, list[dict[str, Any]]]] = {
        kind: defaultdict(list) for kind in COLUMNS
    }
    for row in rows:
        for kind, columns in COLUMNS.items():
            running[kind][tuple(row[column] for column in columns)].append(row)
    return running


def _read_totals(
    limits: Iterable[HeldLimit], today: date, user: str
) -> dict[_Read, dict[Place, Used]]:
    groups: dict[_Read, list[Subject]] = defaultdict(list)
    for limit in limits:
        groups[limit.subject.holder_kind, Window(limit.subject.window)].append(limit.subject)
    found: dict[_Read, dict[Place, Used]] = {}
    for (kind, window), subjects in groups.items():
        end = window.end(today) or today + timedelta(days=1)
        add(
            found.setdefault((kind, window), {}),
            spans(kind, window.begin(today), end),
            kind,
            {subject.holder_id for subject in subjects},
            by_model=any(subject.models for subject in subjects),
            user=user,
        )
    return found
