"""Use in a period, computed from totals: sums, a stacked series, the largest users, percentiles.

Each query reads the period's totals once and returns few rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import Max, QuerySet, Sum

from keys.ledger import month_totals
from keys.ledger.totals import COUNTED, REFUSED, SUMMED, percentile_ms
from keys.models import DURATION_COUNTS, TTFT_COUNTS, DayTotal

# What a series can be stacked by: the column that identifies, and the column with the name.
DIMENSIONS: Final = {
    "model": ("model", "model"),
    "key": ("key_id", "key_name"),
    "owner": ("owner_id", "owner_name"),
    "endpoint": ("endpoint", "endpoint"),
}
FIGURES: Final = {
    "requests": ("Requests", "requests"),
    "errors": ("Errors", "errors"),
    "tokens_in": ("Tokens in", "prompt_tokens"),
    "tokens_out": ("Tokens out", "completion_tokens"),
    "tokens_cached": ("Tokens cached", "cached_tokens"),
    "cost": ("Cost", "cost_nano_usd"),
    "neurons": ("Neurons", "neurons_micro"),
    "images": ("Images", "images"),
}
TOP: Final = 8
SERIES: Final = 5
OTHERS: Final = "others"
_SUMS: Final = (*COUNTED, *SUMMED, *REFUSED)
Spans = Sequence[QuerySet[Any]]
# What a line of the largest users shows beside the figure.
_BESIDE: Final = ("requests", "errors", "cost_nano_usd")


@dataclass(frozen=True, slots=True)
class TopRow:
    """One of the largest: `value` is for the log's filter, `amount` is the requested figure."""

    value: str
    name: str
    amount: int
    requests: int
    errors: int
    cost_nano_usd: int


@dataclass(frozen=True, slots=True)
class Series:
    value: str
    name: str
    by_day: dict[date, int]

    @property
    def total(self) -> int:
        return sum(self.by_day.values())


@dataclass(frozen=True, slots=True)
class UseReport:
    begin: date
    end: date
    sums: dict[str, int]
    tops: dict[str, list[TopRow]]
    series: list[Series]
    # p50, p90 and p99 in milliseconds; None without requests.
    first_byte_ms: tuple[float | None, ...]
    whole_ms: tuple[float | None, ...]


def use_report(
    begin: date, end: date, figure: str, by: str, *, by_month: bool = False
) -> UseReport:
    """The report from `begin` to before `end`, for one of FIGURES, stacked by one of DIMENSIONS.
    With `by_month` a series may have the amount of a whole month under its first day."""
    if by_month:
        spans = month_totals.spans(begin, end)
    else:
        spans = [DayTotal.objects.filter(day__gte=begin, day__lt=end)]
    spans = [totals.order_by() for totals in spans]
    columns = [column for column, _ in DIMENSIONS.values()]
    summed = FIGURES[figure][1]
    groups = [
        group
        for totals in spans
        for group in totals.values(*columns).annotate(
            # A renamed key still has one line.
            shown_key=Max("key_name"),
            shown_owner=Max("owner_name"),
            # No more sums than needed: SQLite sorts the rows that it groups, with all summed
            # columns.
            **{f"sum_{name}": Sum(name) for name in {summed, *_BESIDE}},
        )
    ]
    ranked = _ranked(groups, by, summed)
    names = (*_SUMS, *TTFT_COUNTS, *DURATION_COUNTS)
    by_day = _by_day(spans, names)
    whole = {name: sum(sums[name] for sums in by_day.values()) for name in names}
    return UseReport(
        begin=begin,
        end=end,
        sums={name: whole[name] for name in _SUMS},
        tops={
            dimension: [_top_row(line) for line in _ranked(groups, dimension, summed)[:TOP]]
            for dimension in ("model", "key", "owner")
        },
        series=_series(spans, by, summed, ranked, by_day),
        first_byte_ms=_percentiles(whole, TTFT_COUNTS),
        whole_ms=_percentiles(whole, DURATION_COUNTS),
    )


def _by_day(spans: Spans, names: Sequence[str]) -> dict[date, dict[str, int]]:
    """Sums by day, grouped in the order of an index so that SQLite need not sort."""
    sums = {f"sum_{name}": Sum(name) for name in names}
    return {
        row["day"]: {name: int(row[f"sum_{name}"] or 0) for name in names}
        for totals in spans
        for row in totals.values("day").annotate(**sums)
    }


def _ranked(groups: Iterable[dict[str, Any]], by: str, summed: str) -> list[dict[str, Any]]:
    """The groups added up by one dimension, the largest first, without those with nothing."""
    column, name_column = DIMENSIONS[by]
    shown = {"key_name": "shown_key", "owner_name": "shown_owner"}.get(name_column, name_column)
    lines: dict[Any, dict[str, Any]] = {}
    for group in groups:
        line = lines.setdefault(
            group[column],
            {"value": str(group[column]), "name": group[shown] or "none", "amount": 0}
            | {"requests": 0, "errors": 0, "cost_nano_usd": 0},
        )
        line["amount"] += group[f"sum_{summed}"] or 0
        for name in _BESIDE:
            line[name] += group[f"sum_{name}"] or 0
    used = [line for line in lines.values() if line["amount"]]
    return sorted(used, key=lambda line: (-line["amount"], line["name"]))


def _top_row(line: dict[str, Any]) -> TopRow:
    return TopRow(**{name: line[name] for name in TopRow.__slots__})


def _series(
    spans: Spans,
    by: str,
    summed: str,
    ranked: list[dict[str, Any]],
    by_day: dict[date, dict[str, int]],
) -> list[Series]:
    """A series for each of the largest, and one for all others together."""
    column = DIMENSIONS[by][0]
    largest = ranked[:SERIES]
    by_line: dict[str, dict[date, int]] = {line["value"]: {} for line in largest}
    for totals in spans:
        lines = totals.filter(**{f"{column}__in": list(by_line)}).values("day", column)
        for row in lines.annotate(amount=Sum(summed)):
            by_line[str(row[column])][row["day"]] = int(row["amount"] or 0)
    series = [Series(line["value"], line["name"], by_line[line["value"]]) for line in largest]
    if len(ranked) > SERIES:
        others = {
            day: sums[summed] - sum(line.get(day, 0) for line in by_line.values())
            for day, sums in by_day.items()
        }
        series.append(Series("", OTHERS, others))
    return series


def _percentiles(sums: dict[str, int], names: tuple[str, ...]) -> tuple[float | None, ...]:
    counts = [sums[name] for name in names]
    return tuple(percentile_ms(counts, share) for share in (0.5, 0.9, 0.99))


def daily_requests(key_ids: Iterable[int], today: date, days: int) -> dict[int, list[int]]:
    """For each key the requests of the last days, today's last."""
    begin = today - timedelta(days=days - 1)
    ids = list(key_ids)
    found = {pk: [0] * days for pk in ids}
    rows = DayTotal.objects.filter(key_id__in=ids, day__gte=begin, day__lte=today).order_by()
    for row in rows.values("key_id", "day").annotate(amount=Sum("requests")):
        found[row["key_id"]][(row["day"] - begin).days] = int(row["amount"] or 0)
    return found
