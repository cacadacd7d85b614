"""What was used from a day to a day, by any of key, owner, team, model, endpoint and person, for
each day, each month or in all. From totals, in one snapshot. Call it on a thread.

The lines add up to all use: what is of no team, or of nobody whom a client named, has lines without
one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import Max, QuerySet, Sum

from keys.ledger import month_totals
from keys.ledger.snapshot import snapshot
from keys.ledger.team_totals import TEAM_SUMS
from keys.reports.month_report import Line

PERIODS: Final = ("day", "month")
# What lines can be of → the column that tells it, and that with its name.
DIMENSIONS: Final[dict[str, tuple[str, str]]] = {
    "key": ("key_id", "key_name"),
    "owner": ("owner_id", "owner_name"),
    "team": ("team_id", "team_name"),
    "model": ("model", ""),
    "endpoint": ("endpoint", ""),
    "user": ("user", ""),
}
# Of a table of their own, which has no endpoints.
OF_TEAMS: Final = frozenset({"team", "user"})
MOST_LINES: Final = 100_000

# The period's first day, then the value of each dimension.
_Place = tuple[Any, ...]
_Sums = dict[str, int]


class TooManyLines(Exception):
    """More than MOST_LINES."""


class _Lines:
    """Sums by place, with the newest names."""

    def __init__(self) -> None:
        self.sums: dict[_Place, _Sums] = {}
        self.names: dict[tuple[str, Any], str] = {}

    def add(self, place: _Place, row: Mapping[str, Any], sign: int = 1) -> None:
        into = self.sums.get(place)
        if into is None:
            if len(self.sums) >= MOST_LINES:
                raise TooManyLines
            into = self.sums[place] = dict.fromkeys(TEAM_SUMS, 0)
        for name in TEAM_SUMS:
            into[name] += sign * int(row[f"sum_{name}"] or 0)


def usage_lines(
    since: date, until: date, by: Sequence[str], of: Mapping[str, Any]
) -> tuple[list[Line], _Sums]:
    """The lines in the order of their days and names, and the sum of all. Both days are included.
    `by` has one of PERIODS at most and any of DIMENSIONS, `of` the values of dimensions that count.
    Endpoints are not told together with OF_TEAMS: the caller makes sure. Raises `TooManyLines`."""
    period = next((name for name in by if name in PERIODS), "")
    dimensions = [name for name in DIMENSIONS if name in by]
    lines = _Lines()
    with snapshot():
        for begin, end in _periods(since, until + timedelta(days=1), period):
            _read(lines, begin, end, period, dimensions, of)
    found = [
        _line(place, sums, period, dimensions, lines.names)
        for place, sums in sorted(lines.sums.items(), key=lambda each: _order(each[0]))
        if any(sums.values())
    ]
    total = {name: sum(line.sums[name] for line in found) for name in TEAM_SUMS}
    return found, total


def _periods(begin: date, end: date, period: str) -> Iterator[tuple[date, date]]:
    """Each month by itself; days are told apart by the database."""
    if period != "month":
        yield begin, end
        return
    while begin < end:
        following = month_totals.next_month(month_totals.first_of_month(begin))
        yield begin, min(following, end)
        begin = following


def _read(
    lines: _Lines,
    begin: date,
    end: date,
    period: str,
    dimensions: Sequence[str],
    of: Mapping[str, Any],
) -> None:
    by_day = period == "day"
    first = month_totals.first_of_month(begin) if period == "month" else None
    of_all = {name: value for name, value in of.items() if name not in OF_TEAMS}
    of_some = OF_TEAMS & {*dimensions, *of}
    whole, named = (_totals(begin, end, kind, by_day) for kind in month_totals.KINDS)
    if of_some:
        for place, row in _rows(named, dimensions, of, lines.names, by_day):
            lines.add((row.get("day", first), *place), row)
    if of_some & {*of}:
        return
    for place, row in _rows(whole, dimensions, of_all, lines.names, by_day):
        lines.add((row.get("day", first), *place), row)
    if of_some:
        # What is named is in these too: it stays there, and is taken from what has no name.
        rest = [name for name in dimensions if name not in OF_TEAMS]
        for place, row in _rows(named, rest, of_all, lines.names, by_day):
            known = dict(zip(rest, place, strict=True))
            at = tuple(known.get(name) for name in dimensions)
            lines.add((row.get("day", first), *at), row, -1)


def _totals(
    begin: date, end: date, kind: month_totals.Kind, by_day: bool
) -> Sequence[QuerySet[Any]]:
    return [month_totals.days(begin, end, kind)] if by_day else month_totals.spans(begin, end, kind)


def _rows(
    spans: Iterable[QuerySet[Any]],
    dimensions: Sequence[str],
    of: Mapping[str, Any],
    names: dict[tuple[str, Any], str],
    by_day: bool,
) -> Iterator[tuple[_Place, dict[str, Any]]]:
    adding: dict[str, Any] = {f"sum_{name}": Sum(name) for name in TEAM_SUMS}
    for totals in spans:
        columns = {field.name for field in totals.model._meta.get_fields()}
        here = [name for name in dimensions if DIMENSIONS[name][0] in columns]
        grouped = [DIMENSIONS[name][0] for name in here] + (["day"] if by_day else [])
        told = {f"last_{name}": Max(column) for name in here if (column := DIMENSIONS[name][1])}
        rows = totals.order_by().filter(**{DIMENSIONS[name][0]: of[name] for name in of})
        found = rows.values(*grouped).annotate(**adding, **told) if grouped else None
        for row in [rows.aggregate(**adding)] if found is None else found[: MOST_LINES + 1]:
            # 0 and "" are how the totals say none.
            values = {name: row[DIMENSIONS[name][0]] or None for name in here}
            for name in here:
                if DIMENSIONS[name][1]:
                    names.setdefault((name, values[name]), row[f"last_{name}"])
            yield tuple(values.get(name) for name in dimensions), row


def _line(
    place: _Place,
    sums: _Sums,
    period: str,
    dimensions: Sequence[str],
    names: Mapping[tuple[str, Any], str],
) -> Line:
    told: dict[str, Any] = {}
    if period:
        told[period] = place[0].isoformat() if period == "day" else f"{place[0]:%Y-%m}"
    for name, value in zip(dimensions, place[1:], strict=True):
        if DIMENSIONS[name][1]:
            told[name] = names.get((name, value)) or None
            told[f"{name}_id"] = value
        else:
            told[name] = value
    return Line(told, sums)


def _order(place: _Place) -> tuple[Any, ...]:
    """Nothing comes before something."""
    return tuple((value is not None, value) for value in place)
