"""A session on a page: what its requests used, when, and by which model and agent.

Read along an index and within the walk's bounds: of a session with more than MOST_ROWS requests the
newest are told, and the page says so. A session is what clients name, so one name can be several
people's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q

from keys import shown
from keys.ledger.totals import CLIENT_GONE_STATUS
from keys.log.walk import Sought, Walk
from keys.models import RequestLog
from theme.chart import Bucket, Chart, stacked

MOST_ROWS: Final = 2_000
# Of the time line; the sums are of all rows that were read.
SHOWN_ROWS: Final = 100
MOST_SESSIONS: Final = 100
BUCKETS: Final = 40
# In percent of the time line, so that a short request can be seen.
NARROWEST: Final = 0.6
MEASURES: Final = {"tokens": "Tokens", "cost": "Cost", "requests": "Requests"}


@dataclass(slots=True)
class Sum:
    """What some requests used together."""

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_nano_usd: int = 0

    def add(self, row: RequestLog) -> None:
        self.requests += 1
        self.failed += is_failed(row)
        self.prompt_tokens += row.prompt_tokens or 0
        self.cached_tokens += row.cached_tokens or 0
        self.completion_tokens += row.completion_tokens or 0
        self.cost_nano_usd += row.cost_nano_usd or 0

    @property
    def cost(self) -> str:
        return shown.usd(self.cost_nano_usd)

    @property
    def tokens_in(self) -> str:
        return f"{self.prompt_tokens:,}"

    @property
    def tokens_out(self) -> str:
        return f"{self.completion_tokens:,}"

    @property
    def cached_percent(self) -> int:
        return self.cached_tokens * 100 // self.prompt_tokens if self.prompt_tokens else 0


@dataclass(frozen=True, slots=True)
class Part:
    """What one model, agent or owner used of a session, and its share of the cost in percent."""

    name: str
    sum: Sum
    percent: float


@dataclass(frozen=True, slots=True)
class Moment:
    """One request on the time line: `left` and `width` are percent of it."""

    row: RequestLog
    left: float
    width: float

    @property
    def is_failed(self) -> bool:
        return is_failed(self.row)

    @property
    def took(self) -> str:
        return shown.seconds(self.row.duration_ms)

    @property
    def cost(self) -> str:
        return "" if self.row.cost_nano_usd is None else shown.usd(self.row.cost_nano_usd)

    @property
    def tokens_in(self) -> str:
        return "" if self.row.prompt_tokens is None else f"{self.row.prompt_tokens:,}"

    @property
    def tokens_out(self) -> str:
        return "" if self.row.completion_tokens is None else f"{self.row.completion_tokens:,}"

    @property
    def cached_percent(self) -> int | None:
        asked = self.row.prompt_tokens
        return (self.row.cached_tokens or 0) * 100 // asked if asked else None

    @property
    def reason(self) -> str:
        return self.row.error_message or self.row.error_code if self.row.status >= 400 else ""


@dataclass(slots=True)
class Session:
    """Some requests of one session, newest first."""

    name: str
    rows: list[RequestLog] = field(default_factory=list)
    # There are older ones, which were not read.
    is_cut: bool = False

    @property
    def sum(self) -> Sum:
        return _sum(self.rows)

    @property
    def began(self) -> datetime:
        return self.rows[-1].started_at

    @property
    def ended(self) -> datetime:
        return max(map(_end, self.rows))

    @property
    def lasted(self) -> str:
        return shown.span(self.ended - self.began)

    @property
    def models(self) -> list[Part]:
        return _parts(self.rows, lambda row: row.model or row.requested_model)

    @property
    def agents(self) -> list[Part]:
        return _parts(self.rows, lambda row: row.agent or "main")

    @property
    def people(self) -> list[Part]:
        return _parts(self.rows, lambda row: f"{row.owner_name or 'nobody'}, {row.key_name}")

    @property
    def moments(self) -> list[Moment]:
        """The newest requests on the time line from the first of them to the end."""
        rows = self.rows[:SHOWN_ROWS]
        begin = rows[-1].started_at
        whole = max((self.ended - begin) / timedelta(milliseconds=1), 1.0)
        moments = []
        for row in rows:
            width = min(max(row.duration_ms * 100 / whole, NARROWEST), 100.0)
            left = (row.started_at - begin) / timedelta(milliseconds=1) * 100 / whole
            moments.append(Moment(row, round(min(left, 100 - width), 2), round(width, 2)))
        return moments

    def chart(self, measure: str) -> Chart | None:
        """The columns of `measure`, one of MEASURES, over the session's time."""
        count = min(BUCKETS, max(len(self.rows), 8))
        step = max((self.ended - self.began) / count, timedelta(milliseconds=1))
        begins = [self.began + n * step for n in range(count)]
        form = "%d %b %H:%M" if self.ended - self.began >= timedelta(days=1) else "%H:%M:%S"
        buckets = [Bucket(at, at + step, f"{at:{form}}") for at in begins]
        names, of = _MEASURED[measure]
        values = [[0] * count for _ in names]
        for row in self.rows:
            place = min(int((row.started_at - self.began) / step), count - 1)
            for line, value in zip(values, of(row), strict=True):
                line[place] += value
        return stacked(buckets, names, values, shown.usd if measure == "cost" else shown.short)


def read_session(name: str, **of: int) -> Session | None:
    """The session of this name; with `owner_id`, `key_id` or `team_id` only what that account, that
    key or that team used. None: no request."""
    # No text of the log contains NUL, and PostgreSQL rejects it.
    if not name or "\0" in name:
        return None
    rows, rest = Walk(_sought(of) & Sought(equal={"session": name})).page(MOST_ROWS)
    return Session(name, rows, is_cut=rest is not None) if rows else None


@dataclass(frozen=True, slots=True)
class RecentSessions:
    sessions: list[Session]
    # How far the log was read, where it was not read to its end.
    since: datetime | None


def recent_sessions(**of: int) -> RecentSessions:
    """The sessions among the newest requests that have one, of one account (`owner_id`), of one
    team (`team_id`) or of all; the session with the newest request first."""
    rows, rest = Walk(_sought(of) & Sought(rest=Q(session__gt=""))).page(MOST_ROWS)
    sessions: dict[str, Session] = {}
    for row in rows:
        sessions.setdefault(row.session, Session(row.session)).rows.append(row)
    newest = list(sessions.values())[:MOST_SESSIONS]
    if len(newest) < len(sessions):
        return RecentSessions(newest, newest[-1].rows[0].started_at)
    return RecentSessions(newest, None if rest is None else rest.started_at)


def _sought(of: dict[str, int]) -> Sought:
    """Requests of an account, a key or a team, which has no index of its own."""
    indexed = {name: value for name, value in of.items() if name != "team_id"}
    return Sought(equal=indexed, rest=Q(team_id=of["team_id"]) if "team_id" in of else Q())


def page_context(session: Session, measure: str) -> dict[str, Any]:
    """What `sessions/session.html` shows. An unknown `measure` is the first one."""
    if measure not in MEASURES:
        measure = next(iter(MEASURES))
    return {
        "session": session,
        "measure": MEASURES[measure],
        "measures": [(name, label, name == measure) for name, label in MEASURES.items()],
        "chart": session.chart(measure),
        "legend": _MEASURED[measure][0],
        "moments": session.moments,
        "shares": [("By model", session.models), ("By agent", session.agents)],
    }


def is_failed(row: RequestLog) -> bool:
    """As the totals count errors: who hung up met none."""
    return row.status >= 400 and row.status != CLIENT_GONE_STATUS


def _end(row: RequestLog) -> datetime:
    return row.started_at + timedelta(milliseconds=row.duration_ms)


def _sum(rows: Iterable[RequestLog]) -> Sum:
    whole = Sum()
    for row in rows:
        whole.add(row)
    return whole


def _parts(rows: Sequence[RequestLog], name_of: Callable[[RequestLog], str]) -> list[Part]:
    """The most expensive first."""
    sums: dict[str, Sum] = {}
    for row in rows:
        sums.setdefault(name_of(row), Sum()).add(row)
    whole = sum(one.cost_nano_usd for one in sums.values())
    parts = [
        Part(name, one, round(one.cost_nano_usd * 100 / whole, 1) if whole else 0.0)
        for name, one in sums.items()
    ]
    return sorted(parts, key=lambda part: (-part.sum.cost_nano_usd, -part.sum.requests, part.name))


def _tokens(row: RequestLog) -> tuple[int, int, int]:
    asked = row.prompt_tokens or 0
    cached = min(row.cached_tokens or 0, asked)
    return cached, asked - cached, row.completion_tokens or 0


_MEASURED: Final[dict[str, tuple[list[str], Callable[[RequestLog], tuple[int, ...]]]]] = {
    "tokens": (["cached input", "other input", "output"], _tokens),
    "cost": (["cost"], lambda row: (row.cost_nano_usd or 0,)),
    "requests": (
        ["answered", "failed"],
        lambda row: (int(not is_failed(row)), int(is_failed(row))),
    ),
}
