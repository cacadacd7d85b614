"""Decides budgets: limits of money, neurons, requests and tokens per calendar window (UTC), of keys
and of all other holders, on all models or on some.

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
from dataclasses import replace
from datetime import datetime
from typing import Final

from keys.ledger import reservations
from keys.ledger.claims import PLACE_OF, Claim, Decision, Granted, Shared, Shortfall
from keys.ledger.closed_days import ClosedDays
from keys.ledger.spending import ScopeName, Spending, read_spending, scopes_of
from keys.ledger.transaction import GroupTransaction
from keys.request_scopes import BudgetScope
from keys.scopes import HolderKind, digest

# Added to an id: a range of PostgreSQL's 64-bit advisory locks that nothing else uses.
_LOCKS: Final[dict[HolderKind, int]] = {
    "key": 0x4B1 << 50,
    "owner": 0x4B2 << 50,
    "team": 0x4B3 << 50,
    "everybody": 0x4B4 << 50,
    "user": 0x4B5 << 50,
}


def decide(
    claims: Sequence[Claim],
    transaction: GroupTransaction,
    *,
    writer: uuid.UUID,
    now: datetime,
    closed: ClosedDays,
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
    scopes = scopes_of(claims)
    # Only one of all workers and hosts decides about a scope at a time.
    transaction.lock(lambda: map(_lock_of, scopes.values()))
    if tried:
        reservations.release(tried, transaction)
    moment = now if expired_by is None else expired_by
    spent = read_spending(scopes, claims, moment, closed, transaction)
    decisions: dict[uuid.UUID, Decision] = {}
    reserved: dict[uuid.UUID, Claim] = {}
    for claim in claims:
        mine = [(scope, spent[scope.counted_as]) for scope in claim.scopes]
        short = _first_shortfall(claim, mine)
        decisions[claim.id] = short
        if short is not None:
            continue
        held = claim
        if claim.shared_by:
            requests = min(each.shareable(scope, claim) for scope, each in mine)
            decisions[claim.id] = Shared(requests)
            held = claim.times(requests)
        elif claim.wishes:
            part = min(each.grantable(scope, claim) for scope, each in mine)
            decisions[claim.id] = Granted(part)
            held = claim.with_part_of_wish(part)
        for _, each in mine:
            each.add(held)
        reserved[held.id] = held
    reservations.insert(list(reserved.values()), transaction, writer=writer, now=now)
    _note_shares(claims, decisions, transaction, now=now)
    return decisions, reserved


def _first_shortfall(
    claim: Claim, mine: Sequence[tuple[BudgetScope, Spending]]
) -> Shortfall | None:
    for scope, spending in mine:
        short = spending.shortfall(scope, claim)
        if short is not None:
            return short
    return None


def _note_shares(
    claims: Sequence[Claim],
    decisions: dict[uuid.UUID, Decision],
    transaction: GroupTransaction,
    *,
    now: datetime,
) -> None:
    """Adds to shortfalls what all workers hold of the budget in shares."""
    short: dict[ScopeName, list[tuple[Claim, Shortfall]]] = {}
    for claim in claims:
        decision = decisions[claim.id]
        if isinstance(decision, Shortfall) and not claim.shared_by:
            short.setdefault(decision.scope.counted_as, []).append((claim, decision))
    if not short:
        return
    scopes = [found[0][1].scope for found in short.values()]
    shares = reservations.shares_of(scopes, transaction, now=now)
    for found, lasting in zip(short.values(), shares, strict=True):
        for claim, shortfall in found:
            subject = shortfall.budget.subject
            counted = [each for model, each in lasting.items() if subject.counts(model)]
            if counted:
                decisions[claim.id] = replace(
                    shortfall,
                    shared=sum(amounts[PLACE_OF[subject.what]] for _, amounts in counted),
                    shared_for_s=(max(end for end, _ in counted) - now).total_seconds(),
                )


def _lock_of(scope: BudgetScope) -> int:
    if scope.kind != "user":
        return _LOCKS[scope.kind] + scope.id
    # Two persons with the same one wait for each other, that is all.
    return _LOCKS["user"] + int(digest(str(scope.id), scope.user)[:12], 16)
