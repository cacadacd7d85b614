"""The present state: who is near a limit, the neurons of the day, the ledger, the catalog."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from alerts.findings import SEVERITIES
from alerts.models import Alert
from catalog import accounts
from catalog.models import CatalogChange, CatalogModel, RefreshRun
from catalog.successors import successor_of
from keys import shown
from keys.ledger.writer import ledger
from keys.models import Everybody, PruneMark, RequestLog, Reservation
from keys.reports.budget_bars import bar_of
from keys.reports.forecast import Stopped, stopped_today
from keys.reports.near_limits import NearLimit, refused_today, used_limits
from keys.reports.usage import account_neuron_day, neurons_by_account, waits_of_day
from keys.sharing.process_lanes import lanes
from proxysite.dashboard.addresses import rows_url
from theme.bars import Bar

NEAR_SHOWN: Final = 8
CHANGES_SHOWN: Final = 5
OPEN_SHOWN: Final = 5
OPEN_READ: Final = 100
AN_OLD_CATALOG: Final = timedelta(hours=26)


def alerts_context(user: Any) -> dict[str, Any]:
    """What somebody should look at: the worst first."""
    found = list(Alert.objects.open()[:OPEN_READ])
    worst = [name for name, _ in reversed(SEVERITIES)]
    found.sort(key=lambda alert: worst.index(alert.severity))
    return {
        "shown": found[:OPEN_SHOWN],
        "count": len(found),
        "is_more": len(found) == OPEN_READ,
        "may_acknowledge": user.has_perm("alerts.change_alert"),
    }


def limits_context(now: datetime) -> dict[str, Any]:
    used = used_limits(now)
    near = [one for one in used if one.use.is_near]
    stopped = stopped_today(used, now)
    today = now.astimezone(UTC).date()
    return {
        "near": [_near_bar(one) for one in near[:NEAR_SHOWN]],
        "near_count": len(near),
        "stopped": [_stopped_bar(one) for one in stopped[:NEAR_SHOWN]],
        "stopped_more": max(0, len(stopped) - NEAR_SHOWN),
        "refused": [
            Bar(
                name=one.name,
                value=f"{one.count:,}",
                note=", ".join(f"{count:,} by {words}" for words, count in one.by),
                url=rows_url(today, today, key=str(one.key_id)),
            )
            for one in refused_today(now)[:NEAR_SHOWN]
        ],
    }


_PAGES: Final = {"key": "key", "owner": "ownerlimits", "team": "team", "everybody": "everybody"}
_WHOSE: Final = {"owner": "all keys of {}", "team": "the team {}"}


def _near_bar(near: NearLimit) -> Bar:
    kind, bar = near.subject.holder_kind, bar_of(near.use)
    holder_id = near.subject.holder_id or Everybody.row().pk
    return replace(
        bar,
        name=_WHOSE.get(kind, "{}").format(near.name),
        value=f"{near.percent}%",
        of="",
        note=f"{bar.value} of {bar.of}, {near.what}",
        url=reverse(f"admin:keys_{_PAGES[kind]}_change", args=[holder_id]),
    )


def _stopped_bar(stopped: Stopped) -> Bar:
    near, at, resets_at = stopped.near, stopped.at, stopped.near.use.resets_at
    bar = _near_bar(near)
    anew = "" if resets_at is None else f", anew on {resets_at:%Y-%m-%d}"
    value = "stopped" if at is None else f"about {at:%H:%M}"
    return replace(
        bar, value=value, note=f"{near.percent}%: {bar.note}{anew if at is None else ''}"
    )


def neuron_day_context(now: datetime) -> dict[str, Any]:
    day = account_neuron_day(now)
    return {
        "day": day,
        "used": shown.neurons(day.used_micro),
        "free": shown.neurons(day.free_micro),
        "percent": min(100, day.used_micro * 100 // day.free_micro) if day.free_micro else 0,
        "url": rows_url(day.day, day.day),
        "accounts": _accounts_today(now),
        "reserved": f"{settings.RESERVED_NEURONS:,}" if settings.RESERVED_NEURONS else "",
    }


def _accounts_today(now: datetime) -> list[Bar]:
    """Where there are several: what each used of its free neurons, and why it is not asked."""
    free, used = settings.FREE_DAILY_NEURONS, neurons_by_account(now)
    why = {rest.account: rest.why for rest in accounts.rests()}
    return [
        Bar(
            name=name,
            value=f"{used.get(name, 0):,}",
            of=f"{free:,}" if free else "",
            percent=min(100, used.get(name, 0) * 100 // free) if free else None,
            note=f"not asked by this worker: {why[name]}" if name in why else "",
            is_near=name in why,
        )
        for name in accounts.names()
    ]


def waiting_context(now: datetime) -> dict[str, Any]:
    """Who waits for the account's rate: now, at this worker, and how long people waited today."""
    today = now.astimezone(UTC).date()
    return {
        "now": [
            Bar(
                name=each.lane,
                value=f"{each.requests:,}",
                note=f"the first for {each.longest_s:.0f} s, at {each.per_minute:,} a minute",
            )
            for each in lanes.waiting()
        ],
        "today": [
            Bar(
                name=each.model,
                value=f"{each.waited:,}",
                note=f"{each.average_s:.1f} s on average",
                url=rows_url(today, today, model=each.model),
            )
            for each in waits_of_day(today)[:NEAR_SHOWN]
        ],
    }


def ledger_context(now: datetime) -> dict[str, Any]:
    """The state of this worker's ledger."""
    health = ledger.health()
    return {
        "problem": health.problem,
        "waiting": health.depth,
        "reserved": Reservation.objects.of_running_requests(now).count(),
        "newest": RequestLog.objects.order_by("-started_at", "-id").first(),
        "pruned_before": PruneMark.current(),
    }


def catalog_context(now: datetime) -> dict[str, Any]:
    listed = CatalogModel.objects.filter(retired_at=None)
    last = RefreshRun.objects.filter(ok=True).first()
    going = list(listed.exclude(planned_deprecation_date=None).order_by("planned_deprecation_date"))
    models = list(listed)
    return {
        "last": last,
        "is_old": last is None or now - last.started_at > AN_OLD_CATALOG,
        "failed": RefreshRun.objects.filter(ok=False).first() if _last_failed() else None,
        "count": len(models),
        "off": sum(not model.enabled for model in models),
        "unpriced": sum(model.effective_price_source == "unpriced" for model in models),
        "changes": list(CatalogChange.objects.all()[:CHANGES_SHOWN]),
        "going": [(model, successor_of(model, models)) for model in going[:NEAR_SHOWN]],
    }


def _last_failed() -> bool:
    ended = RefreshRun.objects.exclude(ok=None).values_list("ok", flat=True).first()
    return ended is False
