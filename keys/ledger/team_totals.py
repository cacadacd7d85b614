"""Totals by team and by the person behind a key: what a group of rows adds, and the statement that
adds it, in the transaction of the rows. A row with neither team nor person adds nothing.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Coalesce

from keys.ledger.totals import CLIENT_GONE_STATUS, COUNTED, SUMMED
from keys.ledger.transaction import GroupTransaction, Insert
from keys.models import RequestLog, TeamTotal

# What `check.py` can compute again from rows: all of it.
TEAM_SUMS: Final = (*COUNTED, *SUMMED)
_COST: Final = SUMMED.index("cost_nano_usd")


class TeamPlace(NamedTuple):
    """Identifies a total. They are written in the order of these fields, always the same, so that
    two writers cannot deadlock."""

    day: date
    team_id: int
    key_id: int
    owner_id: int
    user: str
    model: str


class TeamNames(NamedTuple):
    team_name: str
    key_name: str
    owner_name: str


class TeamSums:
    """What a group adds, total by total."""

    def __init__(self) -> None:
        self._added: dict[TeamPlace, list[int]] = {}
        self._names: dict[TeamPlace, TeamNames] = {}

    def add_row(
        self, place: TeamPlace, names: TeamNames, status: int, summed: tuple[int | None, ...]
    ) -> None:
        """`summed` holds the values of SUMMED."""
        self._names[place] = names
        added = self._added.get(place)
        if added is None:
            added = self._added[place] = [0] * len(TEAM_SUMS)
        added[0] += 1
        if status >= 400:
            added[2 if status == CLIENT_GONE_STATUS else 1] += 1
        if summed[_COST] is None:
            added[3] += 1
        for at, value in enumerate(summed, len(COUNTED)):
            if value:
                added[at] += value

    def write(self, transaction: GroupTransaction) -> None:
        if self._added:
            rows = [
                (transaction.day(place.day), *place[1:], *self._names[place], *self._added[place])
                for place in sorted(self._added)
            ]
            transaction.insert(_ADD, rows)


_PLACE: Final = ", ".join(f'"{name}"' for name in TeamPlace._fields)
_ADD: Final = Insert(
    "keys_teamtotal",
    (*TeamPlace._fields, *TeamNames._fields, *TEAM_SUMS),
    on_conflict=(
        f"ON CONFLICT ({_PLACE}) DO UPDATE SET "
        "team_name = excluded.team_name, key_name = excluded.key_name, "
        "owner_name = excluded.owner_name, "
        + ", ".join(f"{name} = keys_teamtotal.{name} + excluded.{name}" for name in TEAM_SUMS)
    ),
)


def sums_of_rows(day: date) -> dict[TeamPlace, dict[str, Any]]:
    """All totals of a day, from the rows of the log."""
    begin = datetime.combine(day, time(), UTC)
    rows: Any = RequestLog.objects.filter(
        started_at__gte=begin, started_at__lt=begin + timedelta(days=1)
    )
    grouped = (
        rows.filter(Q(team_id__gt=0) | Q(user__gt=""))
        .order_by()
        .annotate(
            key=Coalesce("key_id", 0), owner=Coalesce("owner_id", 0), team=Coalesce("team_id", 0)
        )
        .values("team", "key", "owner", "user", "model")
        .annotate(**{f"last_{name}": Max(name) for name in TeamNames._fields}, **_SUMS_OF_ROWS)
    )
    return {
        TeamPlace(day, row["team"], row["key"], row["owner"], row["user"], row["model"]): {
            **{name: int(row[f"sum_{name}"] or 0) for name in TEAM_SUMS},
            **{name: row[f"last_{name}"] for name in TeamNames._fields},
        }
        for row in grouped.iterator(2000)
    }


def stored(day: date) -> dict[TeamPlace, dict[str, Any]]:
    totals = TeamTotal.objects.filter(day=day).values(*TeamPlace._fields, *TEAM_SUMS)
    return {TeamPlace(*(row[name] for name in TeamPlace._fields)): row for row in totals}


def first_whole_day() -> date | None:
    """The first day on which all workers kept these totals; None where none has kept any. On the
    day of the first, some may have been of a release that does not know them."""
    first = TeamTotal.objects.aggregate(day=Min("day"))["day"]
    return None if first is None else first + timedelta(days=1)


def set_to_rows(day: date) -> None:
    """Call it in a transaction in which nobody writes rows of the day."""
    TeamTotal.objects.filter(day=day).delete()
    computed = sums_of_rows(day)
    TeamTotal.objects.bulk_create(
        [TeamTotal(**place._asdict(), **sums) for place, sums in computed.items()], batch_size=500
    )


def lock() -> None:
    """Writers wait until the transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE keys_teamtotal IN EXCLUSIVE MODE")


_LEFT: Final = Q(status=CLIENT_GONE_STATUS)
_SUMS_OF_ROWS: Final[dict[str, Any]] = {
    "sum_requests": Count("pk"),
    "sum_errors": Count("pk", filter=Q(status__gte=400) & ~_LEFT),
    "sum_client_gone": Count("pk", filter=_LEFT),
    "sum_unpriced": Count("pk", filter=Q(cost_nano_usd=None)),
    **{f"sum_{name}": Sum(name) for name in SUMMED},
}
