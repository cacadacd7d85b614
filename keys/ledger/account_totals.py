"""Totals by Cloudflare account and model: what a group of rows adds, and the statement for it,
in the transaction of the rows. A row that names no account and did not wait adds nothing.
"""

from datetime import date
from typing import Any, Final, NamedTuple

from django.db.models import Count, Q, Sum

from keys.ledger.totals import COUNTED, SUMMED, count_row
from keys.ledger.totals_of_rows import SUMS_OF_ROWS, ExtraTotals, rows_of
from keys.ledger.transaction import GroupTransaction, Insert
from keys.models import AccountTotal

WAITED: Final = ("waited", "waited_ms")
# What `check.py` can compute again from rows: all of it.
ACCOUNT_SUMS: Final = (*COUNTED, *SUMMED, *WAITED)


class AccountPlace(NamedTuple):
    """Identifies a total. They are written in the order of these fields, always the same, so that
    two writers cannot deadlock."""

    day: date
    account: str
    model: str


# What a group adds, total by total. A plain dictionary: most groups add nothing, and pay nothing.
AccountSums = dict[AccountPlace, list[int]]


def add_row(
    sums: AccountSums,
    place: AccountPlace,
    status: int,
    summed: tuple[int | None, ...],
    waited_ms: int | None,
) -> None:
    """`summed` holds the values of SUMMED."""
    added = sums.get(place)
    if added is None:
        added = sums[place] = [0] * len(ACCOUNT_SUMS)
    count_row(added, status, summed)
    if waited_ms:
        added[-2] += 1
        added[-1] += waited_ms


def write(sums: AccountSums, transaction: GroupTransaction) -> None:
    rows = [(transaction.day(place.day), *place[1:], *sums[place]) for place in sorted(sums)]
    transaction.insert(_ADD, rows)


_ADD: Final = Insert(
    "keys_accounttotal",
    (*AccountPlace._fields, *ACCOUNT_SUMS),
    on_conflict=(
        f"ON CONFLICT ({', '.join(AccountPlace._fields)}) DO UPDATE SET "
        + ", ".join(f"{name} = keys_accounttotal.{name} + excluded.{name}" for name in ACCOUNT_SUMS)
    ),
)


def sums_of_rows(day: date) -> dict[AccountPlace, dict[str, int]]:
    """All totals of a day, from the rows of the log."""
    rows: Any = rows_of(day).filter(Q(account__gt="") | Q(waited_ms__gt=0))
    grouped = rows.values("account", "model").annotate(**SUMS_OF_ROWS, **_SUMS_OF_WAITS)
    return {
        AccountPlace(day, row["account"], row["model"]): {
            name: int(row[f"sum_{name}"] or 0) for name in ACCOUNT_SUMS
        }
        for row in grouped.iterator(2000)
    }


KEPT: Final = ExtraTotals(AccountTotal, AccountPlace, ACCOUNT_SUMS)
_SUMS_OF_WAITS: Final[dict[str, Any]] = {
    "sum_waited": Count("pk", filter=Q(waited_ms__gt=0)),
    "sum_waited_ms": Sum("waited_ms"),
}
