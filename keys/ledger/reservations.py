"""The rows of reservations: amounts for running requests, each with a lease that expires."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from keys.ledger.claims import Claim
from keys.ledger.transaction import GroupTransaction, Insert, group_transaction
from keys.models import Reservation

# A live worker extends its leases every HEARTBEAT_S; those of a dead one expire after LEASE.
LEASE: Final = timedelta(seconds=90)
HEARTBEAT_S: Final = 30.0
# Expired reservations are kept for this long: a worker that could not reach the database may
# still extend their leases.
SWEPT_AFTER: Final = timedelta(hours=1)
SWEPT_AT_ONCE: Final = 500

_RESERVATIONS: Final = Insert(
    "keys_reservation",
    (
        *("id", "key_id", "owner_id", "day", "cost_nano_usd", "neurons_micro", "requests"),
        *("tokens", "model", "team_id", "user", "writer", "expires_at"),
    ),
)


def insert(
    reserved: Sequence[Claim],
    transaction: GroupTransaction,
    *,
    writer: uuid.UUID,
    expires_at: datetime,
) -> None:
    if not reserved:
        return
    id, day = transaction.id, transaction.day
    last = (id(writer), transaction.moment(expires_at))
    rows = [
        (
            *(id(one.id), one.key_id, one.owner_id, day(one.day), *one.set_aside),
            *(one.model, one.team_id, one.user, *last),
        )
        for one in reserved
    ]
    transaction.insert(_RESERVATIONS, rows)


def release(ids: Collection[uuid.UUID], transaction: GroupTransaction) -> None:
    transaction.change(
        "DELETE FROM keys_reservation WHERE id = ?", [(transaction.id(id),) for id in ids]
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
        insert(swept, transaction, writer=writer, expires_at=now + LEASE)


def sweep(now: datetime) -> None:
    """Delete abandoned reservations. Skips those that another worker is deleting."""
    expired = Reservation.objects.filter(expires_at__lte=now - SWEPT_AFTER)
    if expired.exists():
        with group_transaction() as transaction:
            locked = expired.select_for_update(skip_locked=True)
            release(list(locked.values_list("pk", flat=True)[:SWEPT_AT_ONCE]), transaction)
