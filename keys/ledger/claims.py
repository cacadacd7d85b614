"""What one request asks to reserve of budgets, and the decision on it. Pure."""

import uuid
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from keys.amounts import neurons_text, usd_text
from keys.errors import BudgetUsedUp
from keys.ledger.windows import Window
from keys.scopes import Scope

MILLION: Final = 1_000_000
# The highest amount of one request, far above any cost, so that sums fit into 64 bits.
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
    """What one request asks to reserve, in the windows of the day on which it began.

    A cost of None is that of a model without a price: nothing is reserved, but every budget must
    have something left. A request that could use more than it needs sets both `wished_` amounts: it
    is granted as much of the difference as leaves room in the budgets for other requests.
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
        """The wished amount; None for a claim that asks for no more than it needs."""
        return self.wished_cost_nano_usd if unit == "usd" else self.wished_neurons_micro

    def with_part_of_wish(self, millionths: int) -> "Claim":
        """The claim with the amounts that are reserved when that part of its wish is granted."""
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
        # Rounded up: the reservation must cover what may be used.
        return min(wished, amount - (amount - wished) * millionths // MILLION)

    @property
    def set_aside(self) -> tuple[int, int]:
        """Nano-USD and micro-neurons to reserve."""
        return self.amount("usd") or 0, self.amount("neurons") or 0


@dataclass(frozen=True, slots=True)
class Granted:
    """Which part of the difference between wish and need was granted."""

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
            asked_text="an unknown amount" if self.asked is None else shown(self.asked),
            window=self.budget.window.value,
            reset_at=self.budget.window.reset_at(day),
        )


# None: exactly what the claim asked for is reserved.
Decision = Shortfall | Granted | None


def _usd(nano_usd: int) -> str:
    return f"${usd_text(nano_usd)}"


def _neurons(micro: int) -> str:
    return f"{neurons_text(micro)} neurons"
