"""Totals by team and by the person behind a key: what a group of rows adds, and the statement that
adds it, in the transaction of the rows. A row with neither team nor person adds nothing.
"""

from datetime import date
from typing import Any, Final, NamedTuple

from django.db.models import Max, Q
from django.db.models.functions import Coalesce

from keys.ledger.totals import COUNTED, SUMMED, count_row
from keys.ledger.totals_of_rows import SUMS_OF_ROWS, ExtraTotals, rows_of
from keys.ledger.transaction import GroupTransaction, Insert
from keys.models import TeamTotal

# What `check.py` can compute again from rows: all of it.
TEAM_SUMS: Final = (*COUNTED, *SUMMED)


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
        count_row(added, status, summed)

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
    rows: Any = rows_of(day).filter(Q(team_id__gt=0) | Q(user__gt=""))
    grouped = (
        rows.annotate(
            key=Coalesce("key_id", 0), owner=Coalesce("owner_id", 0), team=Coalesce("team_id", 0)
        )
        .values("team", "key", "owner", "user", "model")
        .annotate(**{f"last_{name}": Max(name) for name in TeamNames._fields}, **SUMS_OF_ROWS)
    )
    return {
        TeamPlace(day, row["team"], row["key"], row["owner"], row["user"], row["model"]): {
            **{name: int(row[f"sum_{name}"] or 0) for name in TEAM_SUMS},
            **{name: row[f"last_{name}"] for name in TeamNames._fields},
        }
        for row in grouped.iterator(2000)
    }


KEPT: Final = ExtraTotals(TeamTotal, TeamPlace, TEAM_SUMS)
