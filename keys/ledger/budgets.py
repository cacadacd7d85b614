"""Decides budgets of money and neurons, per calendar window (UTC), for keys and for owners.

There is no separate counter: the used amount is the sum of the days' totals, the reserved amount is
the sum of the `Reservation` rows whose lease has not expired. So a budget that is set or changed
later is exact at once, a settled request frees its estimate in the transaction that adds its cost,
and what a crash left reserved is free when its lease expires.

`decide` runs on the ledger's thread, inside the transaction of a group. It first takes a lock on
each scope (on SQLite the transaction itself is a lock), so that only one of all workers and hosts
decides at a time. It reads totals and reservations in one statement: a request that settles
concurrently is seen in one of the two, never in neither.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from keys.ledger import reservations
from keys.ledger.claims import Claim, Decision, Granted
from keys.ledger.spending import ClosedMonths, ScopeName, read_spending
from keys.ledger.transaction import GroupTransaction

# Added to an id: a range of PostgreSQL's 64-bit advisory locks that nothing else uses.
_LOCKS: Final = {"key": 0x4B1 << 50, "owner": 0x4B2 << 50}


def decide(
    claims: Sequence[Claim],
    transaction: GroupTransaction,
    *,
    writer: uuid.UUID,
    now: datetime,
    closed: ClosedMonths,
    expired_by: datetime | None = None,
    tried: Collection[uuid.UUID] = (),
) -> tuple[dict[uuid.UUID, Decision], dict[uuid.UUID, Claim]]:
    """Reserve what fits, claim by claim, in every scope of a claim or in none. It holds once the
    transaction is committed.

    Returns the decision for each claim, None for one that got exactly what it asked for; and by id
    the claims as they were reserved.

    Leases that expired by `expired_by`, by default `now`, do not count. `tried` are claims of an
    earlier try whose outcome is unknown: what they may have reserved is released first. This is
    safe after taking the locks, which the earlier try held until its end."""
    by_name = {(scope.kind, scope.id): scope for claim in claims for scope in claim.scopes}
    _lock(by_name, transaction)
    if tried:
        reservations.release(tried, transaction)
    moment = now if expired_by is None else expired_by
    spent = read_spending(by_name, claims, moment, closed, transaction)
    decisions: dict[uuid.UUID, Decision] = {}
    reserved: dict[uuid.UUID, Claim] = {}
    for claim in claims:
        mine = [(scope, spent[scope.kind, scope.id]) for scope in claim.scopes]
        short = next(filter(None, (each.shortfall(scope, claim) for scope, each in mine)), None)
        decisions[claim.id] = short
        if short is not None:
            continue
        held = claim
        if claim.wished_cost_nano_usd is not None:
            part = min(each.grantable(claim) for _, each in mine)
            decisions[claim.id] = Granted(part)
            held = claim.with_part_of_wish(part)
        cost, neurons = held.set_aside
        for _, each in mine:
            each.add(held.day, cost, neurons)
        reserved[held.id] = held
    reservations.insert(
        list(reserved.values()), transaction, writer=writer, expires_at=now + reservations.LEASE
    )
    return decisions, reserved


def _lock(names: Collection[ScopeName], transaction: GroupTransaction) -> None:
    if connection.vendor == "postgresql":
        # Always in the same order, so that two writers cannot deadlock.
        locks = [(_LOCKS[kind] + scope_id,) for kind, scope_id in sorted(names)]
        transaction.change("SELECT pg_advisory_xact_lock(?)", locks)
