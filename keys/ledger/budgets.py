"""Money and neurons per calendar window (UTC), for keys and for owners.

Nothing is counted twice: what is used is the sum of the day totals, what is set aside is the sum of
the `Reservation` rows whose lease runs. So a budget that is set later, or changed, is right at
once, a settled request frees its estimate in the transaction that adds its cost, and what a crash
left is free when its lease ends.

`decide` runs on the ledger's thread, inside the transaction of a group. It takes a lock on each
scope first (on SQLite the transaction itself is one), so that of any number of workers and hosts
one decides at a time, and reads totals and reservations in one statement: a request that settles
meanwhile is seen on one side or on the other, never on none.
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

# The advisory locks' own corner of PostgreSQL's 64-bit numbers.
_LOCKS: Final = {"key": 0x4B1 << 50, "owner": 0x4B2 << 50}


def decide(
    claims: Sequence[Claim],
    transaction: GroupTransaction,
    *,
    writer: uuid.UUID,
    now: datetime,
    closed: ClosedMonths,
    lapsed_by: datetime | None = None,
    tried: Collection[uuid.UUID] = (),
) -> tuple[dict[uuid.UUID, Decision], dict[uuid.UUID, Claim]]:
    """Set aside what fits, claim by claim, in every scope of a claim or in none. The transaction's
    commit is what makes it so.

    Gives what each claim is told, which is None for one that got just what it asked for, and what
    is set aside for those that got something.

    Leases that ended by `lapsed_by`, which is now unless it is said, count no more. What claims
    that were `tried` before, with an outcome that nobody knows, may have set aside is taken back
    first: behind the locks, which that earlier try held to its end."""
    by_name = {(scope.kind, scope.id): scope for claim in claims for scope in claim.scopes}
    _lock(by_name, transaction)
    if tried:
        reservations.release(tried, transaction)
    moment = now if lapsed_by is None else lapsed_by
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
        # In one order everywhere, so that two writers never wait for each other in a circle.
        locks = [(_LOCKS[kind] + scope_id,) for kind, scope_id in sorted(names)]
        transaction.change("SELECT pg_advisory_xact_lock(?)", locks)
