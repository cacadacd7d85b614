"""The rows of reservations: amounts for running requests, each with a lease that expires."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from keys.ledger.claims import SHARE_ENDS_WITHIN_S, SHARE_LIFE_S, Amounts, Claim
from keys.ledger.closed_days import source_of
from keys.ledger.engine import group_transaction
from keys.ledger.transaction import GroupTransaction, Insert
from keys.models import Reservation
from keys.request_scopes import BudgetScope

# A live worker extends its leases every HEARTBEAT_S; those of a dead one expire after LEASE.
LEASE: Final = timedelta(seconds=90)
SHARE_LIFE: Final = timedelta(seconds=SHARE_LIFE_S)
SHARE_ENDS_WITHIN: Final = timedelta(seconds=SHARE_ENDS_WITHIN_S)
HEARTBEAT_S: Final = 30.0
# Expired reservations are kept for this long: a worker that could not reach the database may
# still extend their leases.
SWEPT_AFTER: Final = timedelta(hours=1)
SWEPT_AT_ONCE: Final = 500

_RESERVATIONS: Final = Insert(
    "keys_reservation",
    (
        *("id", "key_id", "owner_id", "day", "cost_nano_usd", "neurons_micro", "requests"),
        *("tokens", "model", "team_id", "user", "writer", "expires_at", "share_until"),
    ),
)

_SHARES: Final = """
    SELECT model, MAX(share_until), SUM(cost_nano_usd), SUM(neurons_micro), SUM(requests),
    SUM(tokens) FROM keys_reservation
    WHERE {whose} AND share_until > ? GROUP BY model
"""


def insert(
    reserved: Sequence[Claim],
    transaction: GroupTransaction,
    *,
    writer: uuid.UUID,
    now: datetime,
) -> None:
    if not reserved:
        return
    id, day, moment = transaction.id, transaction.day, transaction.moment
    writer_id, expires_at, share_until = id(writer), moment(now + LEASE), moment(now + SHARE_LIFE)
    rows = [
        (
            *(id(one.id), one.key_id, one.owner_id, day(one.day), *one.set_aside),
            *(one.model, one.team_id, one.user, writer_id, expires_at),
            share_until if one.shared_by else None,
        )
        for one in reserved
    ]
    transaction.insert(_RESERVATIONS, rows)


def release(ids: Collection[uuid.UUID], transaction: GroupTransaction) -> None:
    transaction.change(
        "DELETE FROM keys_reservation WHERE id = ?", [(transaction.id(id),) for id in ids]
    )


def shares_of(
    scopes: Sequence[BudgetScope], transaction: GroupTransaction, *, now: datetime
) -> list[dict[str, tuple[datetime, Amounts]]]:
    """By when shares of each scope are given back, and what they hold, by model."""
    last = transaction.moment(now - SHARE_ENDS_WITHIN)
    questions: list[tuple[str, tuple[Any, ...]]] = []
    for scope in scopes:
        source = source_of(scope)
        sql = _SHARES.format(whose=source.of_reservations)
        values = (*source.values, last)
        questions.append((sql, values))
    return [
        {
            model: (_moment(until) + SHARE_ENDS_WITHIN, Amounts(*map(int, amounts)))
            for model, until, *amounts in rows
        }
        for rows in transaction.select(questions)
    ]


def _moment(value: Any) -> datetime:
    """SQLite returns a moment as text, in UTC."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(f"{value}+00:00")


def take_out(of_shares: Mapping[uuid.UUID, Amounts], transaction: GroupTransaction) -> None:
    """Take amounts out of shares, whose requests are booked or did not come."""
    transaction.change(
        "UPDATE keys_reservation SET cost_nano_usd = cost_nano_usd - ?, "
        "neurons_micro = neurons_micro - ?, requests = requests - ?, tokens = tokens - ? "
        "WHERE id = ?",
        [(*amounts, transaction.id(id)) for id, amounts in of_shares.items()],
    )


def end_shares(ids: Collection[uuid.UUID], transaction: GroupTransaction) -> None:
    """Note that only running requests hold what is left of these."""
    transaction.change(
        "UPDATE keys_reservation SET share_until = NULL WHERE id = ?",
        [(transaction.id(id),) for id in ids],
    )


def extend_leases(
    held: Collection[Claim], transaction: GroupTransaction, *, writer: uuid.UUID, now: datetime
) -> None:
    """Extend the leases of all that a writer holds. What was deleted, because the writer could not
    reach the database for hours, is reserved again."""
    transaction.flush()
    own = Reservation.objects.filter(writer=writer)
    if own.update(expires_at=now + LEASE) < len(held):
        there = set(own.values_list("pk", flat=True))
        swept = [claim for claim in held if claim.id not in there]
        insert(swept, transaction, writer=writer, now=now)


def sweep(now: datetime) -> None:
    """Delete abandoned reservations. Skips those that another worker is deleting."""
    expired = Reservation.objects.filter(expires_at__lte=now - SWEPT_AFTER)
    if expired.exists():
        with group_transaction() as transaction:
            locked = expired.select_for_update(skip_locked=True)
            release(list(locked.values_list("pk", flat=True)[:SWEPT_AT_ONCE]), transaction)
