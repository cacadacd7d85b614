"""From the limits that hold for a key to those that a request meets. Pure.

Rates (by the minute, and requests at once) are counted in scopes, see `keys/limits/`; budgets (by
the calendar) are decided in the database, see `keys/ledger/budgets.py`. A limit on some models, or
on each person behind a key, is met once the request has been read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from keys.held_limits import HOLDER_KINDS, SIMPLE, HeldLimit
from keys.model_patterns import matches_any
from keys.scopes import HolderKind, Limits, Scope, holder_words

_RATE_FIELDS: Final = {means: name for name, means in SIMPLE.items() if means[1] in ("minute", "")}


@dataclass(frozen=True, slots=True)
class BudgetScope:
    """The budgets of one holder. What a request uses counts against those on its model."""

    kind: HolderKind
    # Of the key where the kind is "user".
    id: int
    budgets: tuple[HeldLimit, ...]
    # The team's, that of the person behind the key as the client names them, or what tells the
    # holder from everybody.
    name: str = ""
    # What follows is worked out once, for each request asks for it several times.
    user: str = field(init=False, compare=False)
    # Identifies whose use counts.
    counted_as: tuple[HolderKind, int, str] = field(init=False, compare=False)
    is_on_some_models: bool = field(init=False, compare=False)
    # Whether a request meets it whatever its model.
    is_on_all_models: bool = field(init=False, compare=False)
    counts_tokens: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        user = self.name if self.kind == "user" else ""
        on_some = [bool(budget.subject.models) for budget in self.budgets]
        by_tokens = any(budget.subject.what == "tokens" for budget in self.budgets)
        object.__setattr__(self, "user", user)
        object.__setattr__(self, "counted_as", (self.kind, self.id, user))
        object.__setattr__(self, "is_on_some_models", any(on_some))
        object.__setattr__(self, "is_on_all_models", not all(on_some))
        object.__setattr__(self, "counts_tokens", by_tokens)

    def words(self, budget: HeldLimit) -> str:
        return holder_words(self.kind, self.name, budget.subject.models)


def is_rate(limit: HeldLimit) -> bool:
    return (limit.subject.what, limit.subject.window) in _RATE_FIELDS


def rate_scopes(limits: Iterable[HeldLimit], names: Mapping[HolderKind, str]) -> tuple[Scope, ...]:
    """The scopes in which rates are counted: one for each holder and set of models. `names` has the
    team's."""
    rates: dict[tuple[HolderKind, int, tuple[str, ...]], dict[str, int]] = {}
    for limit in limits:
        subject = limit.subject
        if is_rate(limit):
            counted = rates.setdefault((subject.holder_kind, subject.holder_id, subject.models), {})
            counted[_RATE_FIELDS[subject.what, subject.window]] = limit.amount
    return tuple(
        Scope(kind, holder_id, Limits(**amounts), models, names.get(kind, ""))
        for (kind, holder_id, models), amounts in sorted(rates.items(), key=_order)
    )


def budget_scopes(
    limits: Iterable[HeldLimit], names: Mapping[HolderKind, str]
) -> tuple[BudgetScope, ...]:
    """`names` has the team's, and the words for a part of everybody."""
    budgets: dict[tuple[HolderKind, int], list[HeldLimit]] = {}
    for limit in limits:
        if not is_rate(limit):
            subject = limit.subject
            budgets.setdefault((subject.holder_kind, subject.holder_id), []).append(limit)
    return tuple(
        BudgetScope(kind, holder_id, tuple(found), names.get(kind, "") if holder_id else "")
        for (kind, holder_id), found in sorted(budgets.items(), key=_order)
    )


def is_met_by_all(scope: Scope) -> bool:
    """Whether every request of the key meets it, whatever its model and whoever is behind it."""
    return not scope.models and scope.kind != "user"


def are_met_by_all(scope: BudgetScope) -> bool:
    """Whether every request of the key meets these budgets as they are, whatever its model and
    whoever is behind it."""
    return scope.is_on_all_models and scope.kind != "user"


def rates_met(scopes: Iterable[Scope], model: str, user: str) -> tuple[Scope, ...]:
    """Those that a request of this person for this model meets."""
    return tuple(
        Scope("user", scope.id, scope.limits, scope.models, user) if scope.kind == "user" else scope
        for scope in scopes
        if not scope.models or matches_any(scope.models, model)
    )


def budgets_met(scopes: tuple[BudgetScope, ...], model: str, user: str) -> tuple[BudgetScope, ...]:
    """Those that a request of this person for this model meets."""
    met = []
    for scope in scopes:
        if scope.is_on_all_models or any(each.subject.counts(model) for each in scope.budgets):
            if scope.kind == "user":
                scope = BudgetScope("user", scope.id, scope.budgets, user)
            met.append(scope)
    return tuple(met)


def count_tokens(scopes: Iterable[BudgetScope]) -> bool:
    """Whether any of the budgets is one of tokens."""
    return any(scope.counts_tokens for scope in scopes)


def _order(entry: tuple[tuple[Any, ...], object]) -> tuple[Any, ...]:
    kind, *rest = entry[0]
    return HOLDER_KINDS.index(kind), *rest
