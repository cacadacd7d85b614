"""The admin's index: what the operators' dashboard shows, out of totals alone.

Each part belongs to a permission: use and limits to those who see the request log, models to those
who see the catalog. An address that asks for what there is not gets the usual.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from catalog.models import CatalogChange, CatalogModel, RefreshRun
from catalog.successors import successor_of
from keys import shown
from keys.ledger.writer import ledger
from keys.models import PruneMark, RequestLog, Reservation
from keys.reports.near_limits import NearLimit, near_limits, refused_today
from keys.reports.periods import DIMENSIONS, FIGURES, Series, UseReport, use_report
from keys.reports.usage import account_neuron_day
from theme.bars import Bar
from theme.chart import Bucket, Chart, stacked

PERIODS: Final = {1: "Today", 7: "7 days", 30: "30 days", 365: "12 months"}
USUAL: Final = {"days": "7", "figure": "cost", "by": "model"}
NEAR_SHOWN: Final = 8
CHANGES_SHOWN: Final = 5
# Of how many failures, the newest, the codes are counted: a step along the index of failures.
FAILURES_READ: Final = 300
AN_OLD_CATALOG: Final = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Tile:
    name: str
    value: str
    note: str
    chart_url: str
    rows_url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, put right."""

    days: int
    figure: str
    by: str

    def but(self, **changes: Any) -> str:
        """The dashboard's address with something else asked."""
        asked = {"days": self.days, "figure": self.figure, "by": self.by}
        return "?" + urlencode({**asked, **changes})


def context(request: HttpRequest, shown_so_far: dict[str, Any]) -> dict[str, Any]:
    """For the theme: what the template of the index gets."""
    user: Any = request.user
    now = timezone.now()
    more: dict[str, Any] = {}
    if user.has_perm("keys.view_requestlog"):
        more |= {**_use(_asked(request), now), **_limits(now), "ledger": _ledger(now)}
        more["neuron_day"] = _neuron_day(now)
    if user.has_perm("catalog.view_catalogmodel"):
        more["catalog"] = _catalog(now)
    return {**shown_so_far, **more, "now": now}


def _asked(request: HttpRequest) -> Asked:
    days = request.GET.get("days", "")
    figure = request.GET.get("figure", "")
    by = request.GET.get("by", "")
    return Asked(
        days=int(days if days in map(str, PERIODS) else USUAL["days"]),
        figure=figure if figure in FIGURES else USUAL["figure"],
        by=by if by in DIMENSIONS else USUAL["by"],
    )


# --- use ----------------------------------------------------------------------------------------


def _use(asked: Asked, now: datetime) -> dict[str, Any]:
    today = now.astimezone(UTC).date()
    buckets = _buckets(asked.days, today)
    begin = buckets[0].begin
    report = use_report(
        begin,
        today + timedelta(days=1),
        asked.figure,
        asked.by,
        by_month=buckets[0].begin < buckets[0].end,
    )
    text = _text_of(asked.figure)
    names = [series.name for series in report.series]
    amounts = [[_within(series, bucket) for bucket in buckets] for series in report.series]
    return {
        "periods": [
            Choice(name, asked.but(days=days), days == asked.days) for days, name in PERIODS.items()
        ],
        "stacks": [Choice(by.title(), asked.but(by=by), by == asked.by) for by in DIMENSIONS],
        "tiles": _tiles(asked, report),
        "figure": FIGURES[asked.figure][0],
        "by": asked.by,
        "period": PERIODS[asked.days],
        "chart": _linked(stacked(buckets, names, amounts, text)),
        "legend": _legend(asked, report, text),
        "table": _table(buckets, amounts, text),
        "tops": [
            (
                f"Top {dimension}s by {FIGURES[asked.figure][0].lower()}",
                _tops(asked, report, dimension),
            )
            for dimension in ("key", "owner", "model")
        ],
        "latency": _latency(report),
        "mix": _mix(report),
        "failures": _failures(report),
    }


def _buckets(days: int, today: date) -> list[Bucket]:
    """Days, oldest first; of a year, its calendar months."""
    if days <= 31:
        begin = today - timedelta(days=days - 1)
        each = [begin + timedelta(days=at) for at in range(days)]
        return [Bucket(day, day, f"{day:%d %b}") for day in each]
    firsts = [today.replace(day=1)]
    while len(firsts) < 12:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    ends = [today, *(first - timedelta(days=1) for first in firsts)]
    return [
        Bucket(first, end, f"{first:%b %Y}")
        for first, end in reversed(list(zip(firsts, ends, strict=False)))
    ]


def _within(series: Series, bucket: Bucket) -> int:
    if bucket.begin == bucket.end:
        return series.by_day.get(bucket.begin, 0)
    return sum(amount for day, amount in series.by_day.items() if bucket.begin <= day <= bucket.end)


def _text_of(figure: str) -> Callable[[int], str]:
    return {"cost": shown.usd, "neurons": shown.neurons}.get(figure, shown.short)


def rows_url(begin: date, end: date, **filters: str) -> str:
    """The request log, filtered to what a figure counts."""
    days = f"{begin}" if begin == end else f"{begin}..{end}"
    query = urlencode({"day": days, **filters})
    return f"{reverse('admin:keys_requestlog_changelist')}?{query}"


_ROWS_OF: Final = {"errors": {"status_class": "failed"}, "images": {"endpoint": "images"}}


def _tiles(asked: Asked, report: UseReport) -> list[Tile]:
    sums, last = report.sums, report.end - timedelta(days=1)
    notes = {
        "requests": f"{shown.short(_refused(sums))} more refused",
        "errors": _share(sums["errors"], sums["requests"]),
        "tokens_cached": _share(sums["cached_tokens"], sums["prompt_tokens"]),
        "cost": f"{sums['unpriced']:,} unpriced" if sums["unpriced"] else "",
    }
    return [
        Tile(
            name=name,
            value=_text_of(figure)(sums[column]),
            note=notes.get(figure, ""),
            chart_url=asked.but(figure=figure),
            rows_url=rows_url(report.begin, last, **_ROWS_OF.get(figure, {})),
            is_chosen=figure == asked.figure,
        )
        for figure, (name, column) in FIGURES.items()
    ]


def _refused(sums: dict[str, int]) -> int:
    return sum(amount for name, amount in sums.items() if name.startswith("refused_"))


def _share(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f}%" if whole else ""


def _linked(chart: Chart | None) -> dict[str, Any] | None:
    """The chart, each column with the address of its rows."""
    if chart is None:
        return None
    columns = [(rows_url(column.begin, column.end), column) for column in chart.columns]
    return {"numbers": chart, "columns": columns}


def _legend(asked: Asked, report: UseReport, text: Callable[[int], str]) -> list[Bar]:
    whole = sum(series.total for series in report.series) or 1
    last = report.end - timedelta(days=1)
    return [
        Bar(
            name=series.name,
            value=text(series.total),
            note=_share(series.total, whole),
            percent=series.total * 100 // whole,
            # Rows of nobody and of all others together have no filter.
            url=rows_url(report.begin, last, **{asked.by: series.value})
            if series.value not in ("", "0")
            else "",
            series=number,
        )
        for number, series in enumerate(report.series, 1)
    ]


def _table(
    buckets: list[Bucket], amounts: list[list[int]], text: Callable[[int], str]
) -> list[tuple[str, str, list[str]]]:
    """The chart as rows of text, newest first: bucket, address of its rows, one text a series."""
    return [
        (
            bucket.name,
            rows_url(bucket.begin, bucket.end),
            [text(line[at]) for line in amounts],
        )
        for at, bucket in reversed(list(enumerate(buckets)))
    ]


def _tops(asked: Asked, report: UseReport, dimension: str) -> list[Bar]:
    """The largest of the chosen figure, and what else they stand for."""
    rows, text = report.tops[dimension], _text_of(asked.figure)
    highest = max((row.amount for row in rows), default=1)
    last = report.end - timedelta(days=1)
    return [
        Bar(
            name=row.name,
            value=text(row.amount),
            note=f"{shown.short(row.requests)} requests, "
            f"{_share(row.errors, row.requests) or '0%'} failed, {shown.usd(row.cost_nano_usd)}",
            percent=row.amount * 100 // highest,
            url=rows_url(report.begin, last, **{dimension: row.value})
            if row.value not in ("", "0")
            else "",
        )
        for row in rows
    ]


def _latency(report: UseReport) -> list[tuple[str, str, str]]:
    def text(value: float | None) -> str:
        return "–" if value is None else shown.seconds(round(value))

    return [
        (name, text(first), text(whole))
        for name, first, whole in zip(
            ("half within", "90% within", "99% within"),
            report.first_byte_ms,
            report.whole_ms,
            strict=True,
        )
    ]


_MIX: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("failed", "errors", {"status_class": "failed"}),
    ("client left", "client_gone", {"status_class": "gone"}),
    ("refused: requests per minute", "refused_requests", {}),
    ("refused: tokens per minute", "refused_tokens", {}),
    ("refused: requests at once", "refused_concurrency", {}),
    ("refused: a budget", "refused_usd", {}),
    ("refused: neurons of the day", "refused_neurons", {}),
)


def _mix(report: UseReport) -> list[Bar]:
    """What went wrong, by kind. Refusals have no rows."""
    sums, last = report.sums, report.end - timedelta(days=1)
    whole = sum(sums[column] for _, column, _ in _MIX) or 1
    return [
        Bar(
            name=name,
            value=f"{sums[column]:,}",
            note=_share(sums[column], whole),
            percent=sums[column] * 100 // whole,
            url=rows_url(report.begin, last, **filters) if filters else "",
        )
        for name, column, filters in _MIX
        if sums[column]
    ]


def _failures(report: UseReport) -> list[Bar]:
    """The codes of the newest failures, which no total knows."""
    begin = datetime.combine(report.begin, datetime.min.time(), UTC)
    newest = RequestLog.objects.filter(status__gte=400, started_at__gte=begin)
    codes = newest.order_by("-started_at", "-id").values_list("error_code", flat=True)
    counted: dict[str, int] = {}
    for code in codes[:FAILURES_READ]:
        if code:
            counted[code] = counted.get(code, 0) + 1
    whole = sum(counted.values()) or 1
    last = report.end - timedelta(days=1)
    return [
        Bar(
            name=code,
            value=f"{count:,}",
            note=_share(count, whole),
            percent=count * 100 // whole,
            url=rows_url(report.begin, last, error=code),
        )
        for code, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]


# --- limits, neurons, ledger, catalog -----------------------------------------------------------


def _limits(now: datetime) -> dict[str, Any]:
    near = near_limits(now)
    today = now.astimezone(UTC).date()
    return {
        "near": [_near_bar(one) for one in near[:NEAR_SHOWN]],
        "near_count": len(near),
        "refused": [
            Bar(
                name=one.name,
                value=f"{one.count:,}",
                note=", ".join(f"{count:,} by {words}" for words, count in one.by),
                percent=0,
                url=rows_url(today, today, key=str(one.key_id)),
            )
            for one in refused_today(now)[:NEAR_SHOWN]
        ],
    }


def _near_bar(near: NearLimit) -> Bar:
    text = shown.neurons if near.field == "daily_neurons_micro" else shown.usd
    view, pk = ("key", near.key_id) if near.key_id else ("ownerlimits", near.owner_id)
    return Bar(
        name=near.name if near.key_id else f"all keys of {near.name}",
        value=f"{near.percent}%",
        note=f"{text(near.used)} of {text(near.limit)}, {near.what}",
        percent=min(100, near.percent),
        is_full=near.percent >= 100,
        url=reverse(f"admin:keys_{view}_change", args=[pk]),
    )


def _neuron_day(now: datetime) -> dict[str, Any]:
    day = account_neuron_day(now)
    return {
        "day": day,
        "used": shown.neurons(day.used_micro),
        "free": shown.neurons(day.free_micro),
        "percent": min(100, day.used_micro * 100 // day.free_micro) if day.free_micro else 0,
        "url": rows_url(day.day, day.day),
    }


def _ledger(now: datetime) -> dict[str, Any]:
    """As this worker's writer has it."""
    health = ledger.health()
    return {
        "problem": health.problem,
        "waiting": health.depth,
        "reserved": Reservation.objects.filter(expires_at__gt=now).count(),
        "newest": RequestLog.objects.order_by("-started_at", "-id").first(),
        "pruned_before": PruneMark.current(),
    }


def _catalog(now: datetime) -> dict[str, Any]:
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
