"""What one request asks of budgets, and what it is told when one has too little left. Pure."""

import uuid
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from keys.amounts import neurons_text, usd_text
from keys.errors import BudgetUsedUp
from keys.ledger.windows import Window
from keys.scopes import Scope

MILLION: Final = 1_000_000
# Amounts of one request stop here, far above any cost, so that sums stay within 64 bits.
_HIGHEST: Final = 10**15


@dataclass(frozen=True, slots=True)
class Budget:
    field: str  # of `Limits`
    words: str
    window: Window
    unit: str  # "usd" or "neurons"


BUDGETS: Final = (
    Budget("daily_budget_nano_usd", "daily budget", Window.DAY, "usd"),
    Budget("monthly_budget_nano_usd", "monthly budget", Window.MONTH, "usd"),
    Budget("total_budget_nano_usd", "total budget", Window.TOTAL, "usd"),
    Budget("daily_neurons_micro", "daily neurons", Window.DAY, "neurons"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one request asks to have set aside, in the windows of the day it began on.

    None is the cost of a model without a price: it sets nothing aside, but needs a budget that
    has something left. A request that could use more than it needs names both `wished_` amounts:
    it gets as much of them as leaves the budgets room for others, and learns how much.
    """

    id: uuid.UUID
    scopes: tuple[Scope, ...]
    key_id: int
    owner_id: int | None
    day: date
    cost_nano_usd: int | None
    neurons_micro: int | None
    wished_cost_nano_usd: int | None = None
    wished_neurons_micro: int | None = None

    def amount(self, unit: str) -> int | None:
        amount = self.cost_nano_usd if unit == "usd" else self.neurons_micro
        if amount is None or 0 <= amount <= _HIGHEST:
            return amount
        return min(max(amount, 0), _HIGHEST)

    def wished(self, unit: str) -> int | None:
        """None for a claim that asks for no more than it needs."""
        return self.wished_cost_nano_usd if unit == "usd" else self.wished_neurons_micro

    def with_part_of_wish(self, millionths: int) -> "Claim":
        """The claim for what is granted of its wish."""
        return replace(
            self,
            cost_nano_usd=self._part("usd", millionths),
            neurons_micro=self._part("neurons", millionths),
            wished_cost_nano_usd=None,
            wished_neurons_micro=None,
        )

    def _part(self, unit: str, millionths: int) -> int | None:
        amount, wished = self.amount(unit), self.wished(unit)
        if amount is None or wished is None or wished <= amount:
            return amount
        # Rounded up: what is set aside must cover what may be used.
        return min(wished, amount - (amount - wished) * millionths // MILLION)

    @property
    def set_aside(self) -> tuple[int, int]:
        """Nano-USD and micro-neurons that are held for it."""
        return self.amount("usd") or 0, self.amount("neurons") or 0


@dataclass(frozen=True, slots=True)
class Granted:
    """How much of what a claim wished beyond its need it got."""

    millionths: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Which budget had too little left for a claim."""

    scope: Scope
    budget: Budget
    limit: int
    left: int
    asked: int | None

    def error(self, day: date) -> BudgetUsedUp:
        shown = _usd if self.budget.unit == "usd" else _neurons
        return BudgetUsedUp(
            limit=self.budget.words,
            whose=self.scope.words,
            limit_text=shown(self.limit),
            left_text=shown(max(0, self.left)),
            asked_text="an amount that nobody knows" if self.asked is None else shown(self.asked),
            window=self.budget.window.value,
            reset_at=self.budget.window.reset_at(day),
        )


# What is told of a claim: None where it got just what it asked for.
Decision = Shortfall | Granted | None


def _usd(nano_usd: int) -> str:
    return f"${usd_text(nano_usd)}"


def _neurons(micro: int) -> str:
    return f"{neurons_text(micro)} neurons"
