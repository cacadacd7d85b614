"""How much scopes have used and reserved, read from totals and reservations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, NamedTuple

from keys.held_limits import HeldLimit
from keys.ledger.claims import MILLION, PLACE_OF, Claim, Shortfall
from keys.ledger.closed_days import ClosedDays, Days, days_of, source_of
from keys.ledger.transaction import GroupTransaction
from keys.ledger.windows import span
from keys.request_scopes import BudgetScope
from keys.scopes import HolderKind

ScopeName = tuple[HolderKind, int, str]
# The model of a reservation that a worker of release 0.2.0 made.
ANY_MODEL: Final = "*"

# A request that wishes more than it needs is granted at most one part in this many of what a budget
# has left, so that concurrent requests find room as well.
WISH_SHARE: Final = 8
# A share for several requests takes at most one part in so many, and is for no fewer than these.
SHARED_PART: Final = 32
FEWEST_SHARED: Final = 4


class _Room:
    """What a budget has left. `place` is that of what it counts."""

    __slots__ = ("budget", "left", "place")

    def __init__(self, budget: HeldLimit, left: int) -> None:
        self.budget = budget
        self.left = left
        self.place = PLACE_OF[budget.subject.what]


class _RoomsOf(NamedTuple):
    day: date
    # Identifies the budgets, which the claims hold.
    budgets: int


@dataclass(slots=True)
class Spending:
    """What one scope has used and reserved."""

    days: Days
    # By the day of a claim: nearly always a group has claims of one day.
    _rooms: dict[_RoomsOf, list[_Room]] = field(default_factory=dict)

    def total(self, day: date, budget: HeldLimit) -> int:
        """What was used of a budget in its window that `day` is in."""
        subject = budget.subject
        begin, end = span(subject.window, day)
        place, total = PLACE_OF[subject.what], 0
        for each, by_model in self.days.items():
            if begin <= each < end:
                for model, amounts in by_model.items():
                    if not subject.models or model == ANY_MODEL or subject.counts(model):
                        total += amounts[place]
        return total

    def shortfall(self, scope: BudgetScope, claim: Claim) -> Shortfall | None:
        for room in self._rooms_for(scope, claim):
            asked = claim.needed[room.place]
            if room.place == 3:  # tokens
                # Estimates are usually far above the use, and a key with a limit below the usual
                # max_tokens could otherwise never be used.
                asked = max(1, min(claim.needed[3], room.budget.amount))
            if claim.shared_by and asked is not None:
                asked *= SHARED_PART * FEWEST_SHARED
            if (asked is None and room.left <= 0) or (asked and asked > room.left):
                return Shortfall(scope, room.budget, room.left, asked)
        return None

    def grantable(self, scope: BudgetScope, claim: Claim) -> int:
        """Millionths of what the claim wishes beyond its need that leave room for others. For one
        that does not fall short.
        """
        part = MILLION
        for room in self._rooms_for(scope, claim):
            what = room.budget.subject.what
            needed, wished = claim.amount(what) or 0, claim.wished(what)
            if wished is not None and wished > needed:
                more = min(wished, max(needed, room.left // WISH_SHARE)) - needed
                part = min(part, more * MILLION // (wished - needed))
        return part

    def shareable(self, scope: BudgetScope, claim: Claim) -> int:
        """For how many requests a share is reserved, with the claim's amounts each. For one that
        does not fall short.
        """
        requests = claim.shared_by
        for room in self._rooms_for(scope, claim):
            asked = claim.needed[room.place]
            if asked:
                requests = min(requests, room.left // (SHARED_PART * asked))
        return requests

    def add(self, held: Claim) -> None:
        by_model, added = self.days.setdefault(held.day, {}), held.set_aside
        known = by_model.get(held.model)
        by_model[held.model] = added if known is None else known.plus(added)
        for at in [at for at in self._rooms if at.day != held.day]:
            del self._rooms[at]
        for rooms in self._rooms.values():
            for room in rooms:
                subject = room.budget.subject
                if not subject.models or subject.counts(held.model):
                    room.left -= added[room.place]

    def _rooms_for(self, scope: BudgetScope, claim: Claim) -> list[_Room]:
        """The rooms of the budgets on the claim's model."""
        at = _RoomsOf(claim.day, id(scope.budgets))
        rooms = self._rooms.get(at)
        if rooms is None:
            rooms = self._rooms[at] = [
                _Room(budget, budget.amount - self.total(claim.day, budget))
                for budget in scope.budgets
            ]
        if not scope.is_on_some_models:
            return rooms
        return [room for room in rooms if room.budget.subject.counts(claim.model)]


def scopes_of(claims: Sequence[Claim]) -> dict[ScopeName, BudgetScope]:
    """Whose budgets the claims meet, each with all of its budgets that any of them knows: of two
    claims of one key the second may be of a key whose limits have just changed."""
    scopes: dict[ScopeName, BudgetScope] = {}
    for claim in claims:
        for scope in claim.scopes:
            known = scopes.setdefault(scope.counted_as, scope)
            if known.budgets is not scope.budgets:
                budgets = known.budgets + scope.budgets
                scopes[scope.counted_as] = replace(known, budgets=budgets)
    return scopes


_RESERVED: Final = """
        UNION ALL
        SELECT day, {model}, cost_nano_usd, neurons_micro, requests, tokens FROM keys_reservation
        WHERE {whose} AND day >= ? AND expires_at > ?
"""
_BY_MODEL: Final = {True: f"COALESCE(model, '{ANY_MODEL}')", False: "''"}


def read_spending(
    scopes: Mapping[ScopeName, BudgetScope],
    claims: Sequence[Claim],
    now: datetime,
    closed: ClosedDays,
    transaction: GroupTransaction,
) -> dict[ScopeName, Spending]:
    """Reads as far back as each scope's longest budget window."""
    first_claimed = min([claim.day for claim in claims])
    moment = transaction.moment(now)
    spent: dict[ScopeName, Spending] = {}
    questions = []
    for name, scope in scopes.items():
        first = min([span(each.subject.window, first_claimed)[0] for each in scope.budgets])
        known, first = closed.read(scope, first, first_claimed, transaction)
        spent[name] = Spending(known)
        source = source_of(scope)
        model, whom = _BY_MODEL[scope.is_on_some_models], source.values
        reserved = _RESERVED.format(model=model, whose=source.of_reservations)
        day = transaction.day(first)
        values = (*source.values_with(day), *whom, day, moment)
        questions.append((source.sums(scope.is_on_some_models, reserved), values))
    for spending, rows in zip(spent.values(), transaction.select(questions), strict=True):
        spending.days.update(days_of(rows))
    return spent
