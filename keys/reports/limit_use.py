"""How much of limits is used, read as the ledger reads it that decides them: totals of days, and
what running requests have reserved. Call it on a thread."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from keys.held_limits import HeldLimit, Subject, What
from keys.ledger import month_totals
from keys.ledger.windows import Window
from keys.models import Reservation, TeamTotal
from keys.scopes import HolderKind

# From this percentage on a limit is nearly used up.
NEAR_PERCENT: Final = 80
# Beyond this many holders all are read, since statements take only so many parameters.
_FEW: Final = 500

_SUMS: Final[dict[str, Any]] = {
    "sum_usd": Sum("cost_nano_usd"),
    "sum_neurons": Sum("neurons_micro"),
    "sum_requests": Sum("requests"),
    "sum_tokens": Sum(F("prompt_tokens") + F("completion_tokens")),
}
_WHATS: Final[tuple[What, ...]] = ("usd", "neurons", "requests", "tokens")
# The columns that say whose a total or a reservation is.
_COLUMNS: Final[dict[HolderKind, tuple[str, ...]]] = {
    "key": ("key_id",),
    "owner": ("owner_id",),
    "team": ("team_id",),
    "user": ("key_id", "user"),
    "everybody": (),
}
_OF_TEAMS: Final = ("team", "user")


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


class _Holders(NamedTuple):
    """Totals that are read together."""

    kind: HolderKind
    window: Window


# By the values of _COLUMNS: for each model the sums in the order of _WHATS.
_Used = dict[tuple[Any, ...], dict[str, list[int]]]


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
    used: dict[_Holders, _Used],
    running: dict[HolderKind, dict[tuple[Any, ...], list[dict[str, Any]]]],
    today: date,
    user: str,
) -> LimitUse:
    subject = limit.subject
    window = Window(subject.window)
    name, place = _name_of(subject, user), _WHATS.index(subject.what)
    by_model = used[_Holders(subject.holder_kind, window)].get(name, {})
    sums = (sums[place] for model, sums in by_model.items() if subject.counts(model))
    begin, end = window.begin(today), window.end(today)
    reserved = sum(
        one[subject.what]
        for one in running[subject.holder_kind].get(name, ())
        if begin <= one["day"]
        and (end is None or one["day"] < end)
        # One of an unknown model counts as one of any.
        and (one["model"] is None or subject.counts(one["model"]))
    )
    reset = window.reset_at(today)
    resets_at = None if reset is None else datetime.fromtimestamp(reset, UTC)
    return LimitUse(limit, sum(sums), reserved, resets_at)


def _name_of(subject: Subject, user: str) -> tuple[Any, ...]:
    if subject.holder_kind == "everybody":
        return ()
    return (subject.holder_id, user) if subject.holder_kind == "user" else (subject.holder_id,)


def _running(now: datetime) -> dict[HolderKind, dict[tuple[Any, ...], list[dict[str, Any]]]]:
    """Reservations by their holders. There are only as many as running requests."""
    rows = Reservation.objects.filter(expires_at__gt=now).values(
        *("key_id", "owner_id", "team_id", "user", "model", "day", "requests", "tokens"),
        usd=F("cost_nano_usd"),
        neurons=F("neurons_micro"),
    )
    running: dict[HolderKind, dict[tuple[Any, ...], list[dict[str, Any]]]] = {
        kind: defaultdict(list) for kind in _COLUMNS
    }
    for row in rows:
        for kind, columns in _COLUMNS.items():
            running[kind][tuple(row[column] for column in columns)].append(row)
    return running


def _read_totals(limits: Iterable[HeldLimit], today: date, user: str) -> dict[_Holders, _Used]:
    groups: dict[_Holders, list[Subject]] = defaultdict(list)
    for limit in limits:
        subject = limit.subject
        groups[_Holders(subject.holder_kind, Window(subject.window))].append(subject)
    return {
        holders: _sums(
            _totals(holders, {subject.holder_id for subject in subjects}, today, user),
            _COLUMNS[holders.kind],
            by_model=any(subject.models for subject in subjects),
        )
        for holders, subjects in groups.items()
    }


def _totals(holders: _Holders, ids: set[int], today: date, user: str) -> Iterator[QuerySet[Any]]:
    begin, end = holders.window.begin(today), holders.window.end(today)
    whose = Q()
    if holders.kind != "everybody" and len(ids) <= _FEW:
        whose = Q(**{f"{_COLUMNS[holders.kind][0]}__in": ids})
    if holders.kind == "user":
        whose &= Q(user=user)
    if holders.kind in _OF_TEAMS:
        within = Q() if end is None else Q(day__gte=begin, day__lt=end)
        yield TeamTotal.objects.filter(whose & within)
        return
    for totals in month_totals.spans(begin, end or today + timedelta(days=1)):
        yield totals.filter(whose)


def _sums(totals: Iterable[QuerySet[Any]], columns: Sequence[str], by_model: bool) -> _Used:
    used: _Used = {}
    names = (*columns, "model") if by_model else columns
    for some in totals:
        rows = (
            some.order_by().values(*names).annotate(**_SUMS) if names else [some.aggregate(**_SUMS)]
        )
        for row in rows:
            by = used.setdefault(tuple(row[column] for column in columns), {})
            into = by.setdefault(row["model"] if by_model else "", [0] * len(_WHATS))
            for place, name in enumerate(_SUMS):
                into[place] += int(row[name] or 0)
    return used
