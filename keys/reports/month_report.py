"""What each owner, team, key, model, person or Cloudflare account used in a calendar month (UTC),
for charging it on.

The lines add up to all use of the month, as the dashboard has it: what belongs to no team, or to no
person whom a client named, is a line of its own without a name. From totals, in one snapshot.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import Max, Min, QuerySet, Sum

from keys.amounts import neurons_text, usd_text
from keys.ledger import month_totals
from keys.ledger.snapshot import snapshot
from keys.ledger.team_totals import TEAM_SUMS
from keys.models import AccountTotal, DayTotal

# What a line is of: the columns that identify it, and those with its names.
BY: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "owner": (("owner_id",), ("owner_name",)),
    "team": (("team_id",), ("team_name",)),
    "key": (("key_id", "owner_id"), ("key_name", "owner_name")),
    "model": (("model",), ()),
    # A name means something behind its key only: two apps may both have a person "1".
    "user": (("key_id", "user"), ("key_name",)),
    # Of several Cloudflare accounts.
    "account": (("account",), ()),
}
# Under which names people read them.
_SHOWN: Final = {"owner_name": "owner", "team_name": "team", "key_name": "key"}
FIGURES: Final = (
    *("requests", "errors", "prompt_tokens", "cached_tokens", "completion_tokens"),
    *("reasoning_tokens", "images", "audio_seconds", "cost_usd", "neurons", "unpriced_requests"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """`names` is what it is of, under the names of `fields`; without values where it is of nobody
    in particular. `sums` has each of TEAM_SUMS."""

    names: dict[str, Any]
    sums: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Amounts are exact decimal strings, as everywhere."""
        sums = self.sums
        plain = {name: sums[name] for name in FIGURES if name in sums}
        figures = plain | {
            "audio_seconds": sums["audio_ms"] / 1000,
            "cost_usd": usd_text(sums["cost_nano_usd"]),
            "neurons": neurons_text(sums["neurons_micro"]),
            "unpriced_requests": sums["unpriced"],
        }
        return {**self.names, **{name: figures[name] for name in FIGURES}}


@dataclass(frozen=True, slots=True)
class MonthReport:
    month: date
    by: str
    # The most expensive first.
    lines: list[Line]
    total: dict[str, int]

    def as_json(self) -> list[dict[str, Any]]:
        return [{"month": f"{self.month:%Y-%m}", **line.as_json()} for line in self.lines]


def fields(by: str) -> list[str]:
    """Of a line, in the order of the CSV file."""
    columns, names = BY[by]
    return [*(_SHOWN[name] for name in names), *columns]


def month_from_text(text: str) -> date:
    """'2026-11' as its first day. Raises ValueError."""
    month = datetime.strptime(text.strip(), "%Y-%m").replace(tzinfo=UTC).date()
    if f"{month:%Y-%m}" != text.strip() or month.year >= 9999:
        raise ValueError("not a month such as 2026-11")
    return month


def first_month() -> date | None:
    """The oldest month with any use."""
    first: date | None = DayTotal.objects.aggregate(day=Min("day"))["day"]
    return None if first is None else month_totals.first_of_month(first)


def month_report(month: date, by: str) -> MonthReport:
    """`month` is the month's first day, `by` one of BY."""
    until = month_totals.next_month(month)
    with snapshot():
        whole = month_totals.spans(month, until)
        total = _total(whole)
        if by == "account":
            within = AccountTotal.objects.filter(day__gte=month, day__lt=until)
            lines = _lines(by, [within.exclude(account="")])
        elif by in ("team", "user"):
            none = {"team_id": 0} if by == "team" else {"user": ""}
            named = month_totals.spans(month, until, month_totals.TEAMS)
            lines = _lines(by, [totals.exclude(**none) for totals in named])
        else:
            lines = _lines(by, whole)
    rest = {name: total[name] - sum(line.sums[name] for line in lines) for name in TEAM_SUMS}
    if any(rest.values()):
        lines.append(Line(dict.fromkeys(fields(by)), rest))
    lines.sort(key=lambda line: (-line.sums["cost_nano_usd"], -line.sums["requests"]))
    return MonthReport(month, by, lines, total)


def lines_of_team(team_id: int, month: date) -> list[Line]:
    """What each member used of what is the team's, the most expensive first; also of those who have
    left it."""
    spans = month_totals.spans(month, month_totals.next_month(month), month_totals.TEAMS)
    lines = _lines("owner", [totals.filter(team_id=team_id) for totals in spans])
    return sorted(lines, key=lambda line: -line.sums["cost_nano_usd"])


def _total(spans: Iterable[QuerySet[Any]]) -> dict[str, int]:
    total = dict.fromkeys(TEAM_SUMS, 0)
    for totals in spans:
        sums = totals.order_by().aggregate(**{f"sum_{name}": Sum(name) for name in TEAM_SUMS})
        for name in TEAM_SUMS:
            total[name] += int(sums[f"sum_{name}"] or 0)
    return total


def _lines(by: str, spans: Iterable[QuerySet[Any]]) -> list[Line]:
    columns, names = BY[by]
    adding: dict[str, Any] = {f"sum_{name}": Sum(name) for name in TEAM_SUMS}
    # Somebody renamed still has one line.
    adding |= {f"last_{name}": Max(name) for name in names}
    lines: dict[tuple[Any, ...], Line] = {}
    for totals in spans:
        for row in totals.order_by().values(*columns).annotate(**adding):
            # 0 and "" are how the totals say none.
            of = {column: row[column] or None for column in columns}
            shown = {_SHOWN[name]: row[f"last_{name}"] or None for name in names}
            known = lines.setdefault(
                tuple(of.values()), Line({**shown, **of}, dict.fromkeys(TEAM_SUMS, 0))
            )
            for name in TEAM_SUMS:
                known.sums[name] += int(row[f"sum_{name}"] or 0)
    # Requests that were only refused cost nothing.
    return [line for line in lines.values() if any(line.sums.values())]
