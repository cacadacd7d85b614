"""Totals by team and by the person behind a key: what a group of rows adds, and the statement that
adds it, in the transaction of the rows. A row with neither team nor person adds nothing.
"""

from datetime import date
from typing import Final, NamedTuple

from keys.ledger.totals import CLIENT_GONE_STATUS, COUNTED, SUMMED
from keys.ledger.transaction import GroupTransaction, Insert

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
