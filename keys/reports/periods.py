"""Use in a period, computed from totals: sums, a stacked series, the largest users, percentiles.

Each query reads the period's totals once and returns few rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import Max, Q, QuerySet, Sum

from keys.ledger import month_totals
from keys.ledger.totals import COUNTED, REFUSED, SUMMED, percentile_ms
from keys.models import DURATION_COUNTS, TTFT_COUNTS, DayTotal

# What a series can be stacked by: the column that identifies, and the column with the name.
DIMENSIONS: Final = {
    "model": ("model", "model"),
    "key": ("key_id", "key_name"),
    "owner": ("owner_id", "owner_name"),
    "endpoint": ("endpoint", "endpoint"),
    # Of a table of their own, which has only what has a team or a person.
    "team": ("team_id", "team_name"),
    "user": ("user", "user"),
}
# Which totals of that table are of none.
_NONE: Final = {"team": Q(team_id=0), "user": Q(user="")}
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
# Persons may be many: over a longer time than this they and teams are read only when asked for.
LONGEST_BESIDE: Final = timedelta(days=31)
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
    spans = _spans(begin, end, month_totals.ALL, by_month)
    columns = [column for name, (column, _) in DIMENSIONS.items() if name not in _NONE]
    summed = FIGURES[figure][1]
    # A renamed key still has one line.
    groups = _groups(spans, columns, summed, key=Max("key_name"), owner=Max("owner_name"))
    names = (*_SUMS, *TTFT_COUNTS, *DURATION_COUNTS)
    by_day = _by_day(spans, names)
    whole = {name: sum(sums[name] for sums in by_day.values()) for name in names}
    named = {
        each: [totals.exclude(none) for totals in _spans(begin, end, month_totals.TEAMS, by_month)]
        for each, none in _NONE.items()
        if by == each or end - begin <= LONGEST_BESIDE
    }
    of_named = {
        each: _groups(totals, [DIMENSIONS[each][0]], summed, team=Max("team_name"))
        for each, totals in named.items()
    }
    ranked = _ranked(of_named.get(by, groups), by, summed)
    if by in named:
        series = _named_series(named[by], by, summed, ranked, by_day)
    else:
        series = _series(spans, by, summed, ranked, by_day)
    return UseReport(
        begin=begin,
        end=end,
        sums={name: whole[name] for name in _SUMS},
        tops={
            dimension: [_top_row(line) for line in _ranked(lines, dimension, summed)[:TOP]]
            for dimension, lines in (
                *((each, groups) for each in ("model", "key", "owner")),
                *of_named.items(),
            )
        },
        series=series,
        first_byte_ms=_percentiles(whole, TTFT_COUNTS),
        whole_ms=_percentiles(whole, DURATION_COUNTS),
    )


def sums_between(begin: date, end: date) -> dict[str, int]:
    """The sums of all use from `begin` to before `end`."""
    sums = dict.fromkeys(_SUMS, 0)
    for totals in month_totals.spans(begin, end):
        row = totals.order_by().aggregate(**{f"sum_{name}": Sum(name) for name in _SUMS})
        for name in _SUMS:
            sums[name] += int(row[f"sum_{name}"] or 0)
    return sums


def cached_by_model(begin: date, end: date) -> dict[str, int]:
    """Tokens that came from a model's cache, of the models that had any."""
    found: dict[str, int] = {}
    for totals in month_totals.spans(begin, end):
        rows = totals.filter(cached_tokens__gt=0).order_by().values("model")
        for row in rows.annotate(cached=Sum("cached_tokens")):
            found[row["model"]] = found.get(row["model"], 0) + int(row["cached"])
    return found


def _spans(begin: date, end: date, kind: month_totals.Kind, by_month: bool) -> Spans:
    if by_month:
        return [totals.order_by() for totals in month_totals.spans(begin, end, kind)]
    return [month_totals.days(begin, end, kind).order_by()]


def _groups(
    spans: Spans, columns: Sequence[str], summed: str, **shown: Max
) -> list[dict[str, Any]]:
    """No more sums than needed: SQLite sorts the rows that it groups, with all summed columns."""
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in {summed, *_BESIDE}}
    sums |= {f"shown_{name}": latest for name, latest in shown.items()}
    return [group for totals in spans for group in totals.values(*columns).annotate(**sums)]


def _named_series(
    named: Spans,
    by: str,
    summed: str,
    ranked: list[dict[str, Any]],
    by_day: dict[date, dict[str, int]],
) -> list[Series]:
    """As `_series`, and one for all use that is of no team, or of nobody whom a client named."""
    days = _by_day(named, [summed])
    # One fewer: a chart has as many colours as all that is shown otherwise.
    series = _series(named, by, summed, ranked, days, SERIES - 1)
    # By month a whole month's use may stand under its first day, and that of teams under each, or
    # the other way round.
    rest = {
        day: by_day.get(day, {}).get(summed, 0) - days.get(day, {}).get(summed, 0)
        for day in sorted(by_day.keys() | days.keys())
    }
    return [*series, Series("", "none", rest)] if sum(rest.values()) else series


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
    shown = f"shown_{by}" if name_column.endswith("_name") else name_column
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
    most: int = SERIES,
) -> list[Series]:
    """A series for each of the largest, and one for all others together."""
    column = DIMENSIONS[by][0]
    largest = ranked[:most]
    by_line: dict[str, dict[date, int]] = {line["value"]: {} for line in largest}
    for totals in spans:
        lines = totals.filter(**{f"{column}__in": list(by_line)}).values("day", column)
        for row in lines.annotate(amount=Sum(summed)):
            by_line[str(row[column])][row["day"]] = int(row["amount"] or 0)
    series = [Series(line["value"], line["name"], by_line[line["value"]]) for line in largest]
    if len(ranked) > most:
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
