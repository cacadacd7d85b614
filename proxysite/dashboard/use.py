"""Use over a period: figures, the chart and its legend, the largest users, latency, failures."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from catalog import snapshot as catalog
from keys import shown
from keys.models import RequestLog
from keys.reports.periods import (
    DIMENSIONS,
    FIGURES,
    Series,
    UseReport,
    cached_by_model,
    sums_between,
    use_report,
)
from proxysite.dashboard.addresses import PERIODS, Asked, rows_url
from theme.bars import Bar
from theme.chart import Bucket, stacked

# How many of the newest failures have their codes counted: one read along an index.
FAILURES_READ: Final = 300


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
    # The figure in the period before, and how much this one differs from it.
    before: str
    change: str
    chart_url: str
    rows_url: str
    is_chosen: bool


def use_context(asked: Asked, now: datetime) -> dict[str, Any]:
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
        "before_words": _BEFORE[asked.days],
        "figure": FIGURES[asked.figure][0],
        "by": asked.by,
        "period": PERIODS[asked.days],
        "chart": stacked(buckets, names, amounts, text),
        "legend": _legend(asked, report, text),
        "table": _table(buckets, amounts, text),
        "tops": [
            (
                f"Top {dimension}s by {FIGURES[asked.figure][0].lower()}",
                _tops(asked, report, dimension),
            )
            for dimension in ("key", "owner", "model", "team", "user")
            # Teams and persons are not of every gateway.
            if dimension not in ("team", "user") or report.tops.get(dimension)
        ],
        "latency": _latency(report),
        "mix": _mix(report),
        "failures": _failures(report),
    }


def _buckets(days: int, today: date) -> list[Bucket]:
    """Days, oldest first; for a year its calendar months."""
    if days <= 31:
        begin = today - timedelta(days=days - 1)
        each = [begin + timedelta(days=at) for at in range(days)]
        return [Bucket(day, day, f"{day:%d %b}", rows_url(day, day)) for day in each]
    firsts = [today.replace(day=1)]
    while len(firsts) < 12:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    ends = [today, *(first - timedelta(days=1) for first in firsts)]
    return [
        Bucket(first, end, f"{first:%b %Y}", rows_url(first, end))
        for first, end in reversed(list(zip(firsts, ends, strict=False)))
    ]


def _within(series: Series, bucket: Bucket) -> int:
    if bucket.begin == bucket.end:
        return series.by_day.get(bucket.begin, 0)
    return sum(amount for day, amount in series.by_day.items() if bucket.begin <= day <= bucket.end)


def _text_of(figure: str) -> Callable[[int], str]:
    return {"cost": shown.usd, "neurons": shown.neurons}.get(figure, shown.short)


_ROWS_OF: Final = {"errors": {"status_class": "failed"}, "images": {"endpoint": "images"}}


_BEFORE: Final = {
    1: "yesterday, the whole day",
    7: "the 7 days before",
    30: "the 30 days before",
    365: "the 12 months before",
}


def _tiles(asked: Asked, report: UseReport) -> list[Tile]:
    sums, last = report.sums, report.end - timedelta(days=1)
    earlier = sums_between(_begin_before(asked, report), report.begin)
    saved = saved_nano_usd(cached_by_model(report.begin, report.end))
    notes = {
        "requests": f"{shown.short(_refused(sums))} more refused",
        "errors": _share(sums["errors"], sums["requests"]),
        "tokens_cached": _cached_note(sums, saved),
        "cost": f"{sums['unpriced']:,} unpriced" if sums["unpriced"] else "",
    }
    return [
        Tile(
            name=name,
            value=_text_of(figure)(sums[column]),
            note=notes.get(figure, ""),
            before=_text_of(figure)(earlier[column]) if earlier["requests"] else "",
            change="" if asked.days == 1 else _change(earlier[column], sums[column]),
            chart_url=asked.but(figure=figure),
            rows_url=rows_url(report.begin, last, **_ROWS_OF.get(figure, {})),
            is_chosen=figure == asked.figure,
        )
        for figure, (name, column) in FIGURES.items()
    ]


def _begin_before(asked: Asked, report: UseReport) -> date:
    """Where the period begins that this one is told against; for a year the same month a year
    before."""
    if asked.days == 365:
        return report.begin.replace(year=report.begin.year - 1)
    return report.begin - (report.end - report.begin)


def _change(before: int, now: int) -> str:
    """'+12%', '−3%'; nothing where there was nothing."""
    if not before:
        return ""
    percent = round((now - before) * 100 / before)
    return f"+{percent:,}%" if percent > 0 else f"\N{MINUS SIGN}{-percent:,}%" if percent else "±0%"


def _cached_note(sums: dict[str, int], saved: int) -> str:
    share = _share(sums["cached_tokens"], sums["prompt_tokens"])
    return f"{share}, saved {shown.usd(saved)}" if saved else share


def saved_nano_usd(cached: dict[str, int]) -> int:
    """What tokens from the cache cost less than new ones, at the prices of now."""
    models = catalog.current().models
    saved = 0
    for name, tokens in cached.items():
        amounts = models[name].prices.amounts if name in models else {}
        usual = amounts.get("input_tokens", 0)
        saved += tokens * max(0, usual - amounts.get("cached_input_tokens", usual))
    return saved // 1_000_000


def _refused(sums: dict[str, int]) -> int:
    return sum(amount for name, amount in sums.items() if name.startswith("refused_"))


def _share(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f}%" if whole else ""


def _legend(asked: Asked, report: UseReport, text: Callable[[int], str]) -> list[Bar]:
    whole = sum(series.total for series in report.series) or 1
    last = report.end - timedelta(days=1)
    return [
        Bar(
            name=series.name,
            value=text(series.total),
            note=_share(series.total, whole),
            percent=series.total * 100 // whole,
            # Neither rows without a value nor all others together have a filter.
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
            bucket.url,
            [text(line[at]) for line in amounts],
        )
        for at, bucket in reversed(list(enumerate(buckets)))
    ]


def _tops(asked: Asked, report: UseReport, dimension: str) -> list[Bar]:
    """The largest by the chosen figure, with their requests, failures and cost."""
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
            ("50% within", "90% within", "99% within"),
            report.first_byte_ms,
            report.whole_ms,
            strict=True,
        )
    ]


_MIX: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("failed", "errors", {"status_class": "failed"}),
    ("client disconnected", "client_gone", {"status_class": "gone"}),
    ("refused: requests per minute", "refused_requests", {}),
    ("refused: tokens per minute", "refused_tokens", {}),
    ("refused: requests at once", "refused_concurrency", {}),
    ("refused: a budget", "refused_usd", {}),
    ("refused: neurons per day", "refused_neurons", {}),
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
    """The error codes of the newest failures, which no total counts."""
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
