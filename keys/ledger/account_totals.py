"""Totals by Cloudflare account and model: what a group of rows adds, and the statement for it,
in the transaction of the rows. A row that names no account and did not wait adds nothing.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Count, Min, Q, Sum

from keys.ledger.totals import CLIENT_GONE_STATUS, COUNTED, SUMMED
from keys.ledger.transaction import GroupTransaction, Insert
from keys.models import AccountTotal, RequestLog

WAITED: Final = ("waited", "waited_ms")
# What `check.py` can compute again from rows: all of it.
ACCOUNT_SUMS: Final = (*COUNTED, *SUMMED, *WAITED)
_COST: Final = SUMMED.index("cost_nano_usd")


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
    added[0] += 1
    if status >= 400:
        added[2 if status == CLIENT_GONE_STATUS else 1] += 1
    if summed[_COST] is None:
        added[3] += 1
    for at, value in enumerate(summed, len(COUNTED)):
        if value:
            added[at] += value
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
    begin = datetime.combine(day, time(), UTC)
    rows: Any = RequestLog.objects.filter(
        Q(account__gt="") | Q(waited_ms__gt=0),
        started_at__gte=begin,
        started_at__lt=begin + timedelta(days=1),
    )
    grouped = rows.order_by().values("account", "model").annotate(**_SUMS_OF_ROWS)
    return {
        AccountPlace(day, row["account"], row["model"]): {
            name: int(row[f"sum_{name}"] or 0) for name in ACCOUNT_SUMS
        }
        for row in grouped.iterator(2000)
    }


def stored(day: date) -> dict[AccountPlace, dict[str, Any]]:
    totals = AccountTotal.objects.filter(day=day).values(*AccountPlace._fields, *ACCOUNT_SUMS)
    return {AccountPlace(*(row[name] for name in AccountPlace._fields)): row for row in totals}


def first_whole_day() -> date | None:
    """The first day on which all workers kept these totals; None where none has kept any. On the
    day of the first, some may have been of a release that does not know them."""
    first = AccountTotal.objects.aggregate(day=Min("day"))["day"]
    return None if first is None else first + timedelta(days=1)


def set_to_rows(day: date) -> None:
    """Call it in a transaction in which nobody writes rows of the day."""
    AccountTotal.objects.filter(day=day).delete()
    AccountTotal.objects.bulk_create(
        [AccountTotal(**place._asdict(), **sums) for place, sums in sums_of_rows(day).items()],
        batch_size=500,
    )


def lock() -> None:
    """Writers wait until the transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE keys_accounttotal IN EXCLUSIVE MODE")


_LEFT: Final = Q(status=CLIENT_GONE_STATUS)
_SUMS_OF_ROWS: Final[dict[str, Any]] = {
    "sum_requests": Count("pk"),
    "sum_errors": Count("pk", filter=Q(status__gte=400) & ~_LEFT),
    "sum_client_gone": Count("pk", filter=_LEFT),
    "sum_unpriced": Count("pk", filter=Q(cost_nano_usd=None)),
    **{f"sum_{name}": Sum(name) for name in SUMMED},
    "sum_waited": Count("pk", filter=Q(waited_ms__gt=0)),
    "sum_waited_ms": Sum("waited_ms"),
}
