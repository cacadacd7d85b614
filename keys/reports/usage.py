"""The use of keys, owners and the whole account, from totals. Call it on a thread."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from keys.amounts import MICRO
from keys.ledger import month_totals
from keys.ledger.account_totals import ACCOUNT_SUMS, WAITED
from keys.ledger.team_totals import TEAM_SUMS
from keys.ledger.totals import ADDED, REFUSED
from keys.ledger.windows import Window
from keys.models import AccountTotal, DayTotal, RequestLog, Reservation


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used; and in `reserved_…` the most that running requests may use in addition."""

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
    """By calendar day and month, UTC. `refused_today` is by kind of refusal: `totals.REFUSED`."""

    day: Usage
    month: Usage
    total: Usage
    refused_today: dict[str, int]


@dataclass(frozen=True, slots=True)
class LastRequest:
    """The newest request of a key on record; a cost of None means that nobody knows it."""

    request_id: str
    model: str
    cost_nano_usd: int | None
    started_at: datetime


_SUMMED: Final = (
    "cost_nano_usd",
    "neurons_micro",
    "prompt_tokens",
    "completion_tokens",
    "images",
    "requests",
)
# Those of `KeyUsage`.
_WINDOWS: Final = (Window.DAY, Window.MONTH, Window.TOTAL)
_RESERVED: Final = {"cost_nano_usd": "reserved_nano_usd", "neurons_micro": "reserved_neurons_micro"}


def key_usage(key_id: int, now: datetime | None = None) -> KeyUsage:
    return _usage(Q(key_id=key_id), now)


def last_request(key_id: int) -> LastRequest | None:
    """Along one index: it takes as long for many rows as for few."""
    rows = RequestLog.objects.filter(key_id=key_id).order_by("-started_at", "-id")
    row = rows.values("request_id", "model", "cost_nano_usd", "started_at").first()
    return None if row is None else LastRequest(**row)


def owner_usage(owner_id: int, now: datetime | None = None) -> KeyUsage:
    """The use of all keys that the owner has or had."""
    return _usage(Q(owner_id=owner_id), now)


def usage_by_key(key_ids: Iterable[int], now: datetime | None = None) -> dict[int, KeyUsage]:
    """`key_usage` of many keys, in two queries."""
    now = (now or timezone.now()).astimezone(UTC)
    ids = list(key_ids)
    reserved, used = _reserved_and_used(Q(key_id__in=ids), now)
    reserved_rows = {row["key_id"]: row for row in _by_key(reserved, now, _RESERVED)}
    used_rows = {row["key_id"]: row for row in _by_key(used, now, _SUMMED, REFUSED)}
    return {pk: _key_usage(used_rows.get(pk, {}), reserved_rows.get(pk, {})) for pk in ids}


def _usage(whose: Q, now: datetime | None) -> KeyUsage:
    now = (now or timezone.now()).astimezone(UTC)
    reserved, used = _reserved_and_used(whose, now)
    reserved_sums = reserved.aggregate(**_sums(_RESERVED, now.date()))
    return _key_usage(used.aggregate(**_sums(_SUMMED, now.date(), REFUSED)), reserved_sums)


def _reserved_and_used(whose: Q, now: datetime) -> tuple[QuerySet[Reservation], QuerySet[DayTotal]]:
    """Reservations and totals, to be read in this order: a request that settles in between is then
    counted twice, rather than not at all."""
    running = Reservation.objects.of_running_requests(now).filter(whose)
    return running, DayTotal.objects.filter(whose)


def _by_key(
    rows: QuerySet[Any], now: datetime, names: Iterable[str], of_today: Iterable[str] = ()
) -> Any:
    return rows.order_by().values("key_id").annotate(**_sums(names, now.date(), of_today))


def _key_usage(used: Mapping[str, Any], reserved: Mapping[str, Any]) -> KeyUsage:
    """From sums as `_sums` names them; a missing or null one is 0."""
    windows = {
        window.value: Usage(
            **{name: int(used.get(f"{window.value}_{name}") or 0) for name in _SUMMED},
            **{
                field: int(reserved.get(f"{window.value}_{name}") or 0)
                for name, field in _RESERVED.items()
            },
        )
        for window in _WINDOWS
    }
    refused = {name: int(used.get(f"today_{name}") or 0) for name in REFUSED}
    return KeyUsage(**windows, refused_today=refused)


def _sums(names: Iterable[str], today: date, of_today: Iterable[str] = ()) -> dict[str, Any]:
    sums = {f"today_{name}": Sum(name, filter=Q(day=today)) for name in of_today}
    for window in _WINDOWS:
        within = None if window is Window.TOTAL else _within(window, today)
        for name in names:
            sums[f"{window.value}_{name}"] = Sum(name, filter=within)
    return sums


def _within(window: Window, today: date) -> Q:
    return Q(day__gte=window.begin(today)) & Q(day__lt=window.end(today))


def sums_by_day(
    begin: date, end: date, whose: Q | None = None, by: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """All sums of each day from `begin` to before `end`, for charts; grouped also by `by`, such as
    "model". Includes the histograms, for `totals.percentile_ms`."""
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


# Values of the columns that are told apart → each sum.
Sums = dict[tuple[str, ...], dict[str, int]]


class SumsEver:
    """All sums since the first request, by endpoint and model. Past days do not change any more,
    since no request runs for a day, and are added up once a day; a repair of a past day is noticed
    on the next day."""

    by: tuple[str, ...] = ("endpoint", "model")
    summed: tuple[str, ...] = ADDED

    def __init__(self) -> None:
        self._closed: tuple[date, Sums] | None = None

    def read(self, now: datetime | None = None) -> Sums:
        closed_before = (now or timezone.now()).astimezone(UTC).date() - timedelta(days=1)
        closed = self._closed
        if closed is None or closed[0] != closed_before:
            spans = self._spans(date.min, closed_before)
            closed = self._closed = (closed_before, self._add(spans, {}))
        sums = {place: dict(each) for place, each in closed[1].items()}
        return self._add(self._spans(closed_before, _FOREVER), sums)

    def _spans(self, begin: date, end: date) -> list[QuerySet[Any]]:
        return month_totals.spans(begin, end)

    def _add(self, spans: Iterable[QuerySet[Any]], sums: Sums) -> Sums:
        """`sums` with the sums of the totals added."""
        adding: dict[str, Any] = {f"sum_{name}": Sum(name) for name in self.summed}
        for totals in spans:
            for row in totals.values(*self.by).order_by().annotate(**adding):
                place = tuple(row[name] for name in self.by)
                into = sums.setdefault(place, dict.fromkeys(self.summed, 0))
                for name in self.summed:
                    into[name] += int(row[f"sum_{name}"] or 0)
        return sums


class TeamSumsEver(SumsEver):
    """The same of teams, by the name that each had on the day."""

    by = ("team_name",)
    summed = TEAM_SUMS

    def _spans(self, begin: date, end: date) -> list[QuerySet[Any]]:
        spans = month_totals.spans(begin, end, month_totals.TEAMS)
        return [totals.filter(team_id__gt=0) for totals in spans]


class WaitsEver(SumsEver):
    """Which requests waited for the account's rate, by model."""

    by = ("model",)
    summed = WAITED

    def _spans(self, begin: date, end: date) -> list[QuerySet[Any]]:
        return [AccountTotal.objects.filter(waited__gt=0, day__gte=begin, day__lt=end)]


class Waits(NamedTuple):
    """The requests for a model that waited for the account's rate, and for how long in all."""

    model: str
    waited: int
    waited_ms: int

    @property
    def average_s(self) -> float:
        return self.waited_ms / self.waited / 1000


def waits_of_day(day: date) -> list[Waits]:
    """Those who waited longest in all first."""
    totals = AccountTotal.objects.filter(day=day, waited__gt=0).order_by()
    sums = totals.values("model").annotate(count=Sum("waited"), sum_ms=Sum("waited_ms"))
    found = [Waits(row["model"], int(row["count"]), int(row["sum_ms"])) for row in sums]
    return sorted(found, key=lambda waits: -waits.waited_ms)


_FOREVER: Final = date(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class NeuronDay:
    """The neurons that all keys used on one UTC day, as measured by upstream, or else computed from
    the price list. Without what is used on the same account outside this gateway, and without
    requests of unknown cost."""

    day: date
    used_micro: int
    free_micro: int
    unknown_requests: int
    # Forecast of when they are used up; None if they last until the reset or are used up already.
    gone_at: datetime | None
    # When Workers AI first said today that they are used up, which counts whatever the sums say.
    used_up_at: datetime | None

    @property
    def left_micro(self) -> int:
        return 0 if self.used_up_at else max(0, self.free_micro - self.used_micro)


def free_neurons() -> int:
    """Of a day, of all accounts together."""
    return int(settings.FREE_DAILY_NEURONS * (1 + len(settings.CLOUDFLARE_ACCOUNTS)))


def neurons_by_account(now: datetime | None = None) -> dict[str, int]:
    """Whole neurons that each of several accounts used today."""
    today = (now or timezone.now()).astimezone(UTC).date()
    totals = AccountTotal.objects.filter(day=today).exclude(account="").order_by()
    sums = totals.values_list("account").annotate(used=Sum("neurons_micro"))
    return {account: int(used or 0) // MICRO for account, used in sums}


class AccountSumsEver(SumsEver):
    """All sums since the first request, by one of several accounts."""

    by = ("account",)
    summed = ACCOUNT_SUMS

    def _spans(self, begin: date, end: date) -> list[QuerySet[Any]]:
        return [AccountTotal.objects.filter(account__gt="", day__gte=begin, day__lt=end)]


# Rows where upstream said so. A refusal by a key's own budget has no row.
_USED_UP: Final = Q(status__gte=400, error_code="insufficient_quota")


def account_neuron_day(now: datetime | None = None) -> NeuronDay:
    """The forecast is linear: at the rate since 00:00 UTC the free neurons are used up at 00:00 +
    elapsed * free / used."""
    now = (now or timezone.now()).astimezone(UTC)
    midnight = datetime.combine(now.date(), time(), UTC)
    sums = DayTotal.objects.filter(day=now.date()).aggregate(
        used=Sum("neurons_micro"), unknown=Sum("unpriced")
    )
    used, free = int(sums["used"] or 0), free_neurons() * MICRO
    today = RequestLog.objects.filter(_USED_UP, started_at__gte=midnight, started_at__lte=now)
    used_up_at = today.order_by("started_at", "id").values_list("started_at", flat=True).first()
    gone_at = None
    if used_up_at is None and 0 < used < free:
        gone_at = _reached_at(midnight, now, free / used)
    return NeuronDay(now.date(), used, free, int(sums["unknown"] or 0), gone_at, used_up_at)


def _reached_at(midnight: datetime, now: datetime, times_as_much: float) -> datetime | None:
    seconds = (now - midnight).total_seconds() * times_as_much
    return midnight + timedelta(seconds=seconds) if seconds < 86_400 else None
