"""What one request asks to reserve of budgets, and the decision on it. Pure."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, NamedTuple

from keys.errors import BudgetUsedUp, CountUsedUp
from keys.held_limits import HeldLimit, What
from keys.ledger.windows import Window
from keys.limit_texts import amount_text, kind_text
from keys.request_scopes import BudgetScope

MILLION: Final = 1_000_000
# For how long a share of budgets is taken from (`shares.py`).
SHARE_LIFE_S: Final = 2.0
# Within what time after that its worker gives back what is left of it.
SHARE_ENDS_WITHIN_S: Final = 0.5
# The highest amount of one request, far above any cost, so that sums fit into 64 bits.
_HIGHEST: Final = 10**15


class Amounts(NamedTuple):
    """What requests use, or may use, of all that budgets count."""

    usd: int = 0
    neurons: int = 0
    requests: int = 0
    tokens: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.usd + other.usd,
            self.neurons + other.neurons,
            self.requests + other.requests,
            self.tokens + other.tokens,
        )

    def minus(self, other: "Amounts") -> "Amounts | None":
        """What is left; None where that is not enough."""
        usd, neurons = self.usd - other.usd, self.neurons - other.neurons
        requests, tokens = self.requests - other.requests, self.tokens - other.tokens
        if usd < 0 or neurons < 0 or requests < 0 or tokens < 0:
            return None
        return Amounts(usd, neurons, requests, tokens)


PLACE_OF: Final[dict[What, int]] = {"usd": 0, "neurons": 1, "requests": 2, "tokens": 3}


# Never changed once made, but not frozen: that takes twice as long to make.
@dataclass(slots=True, kw_only=True)
class Claim:
    """What one request asks to reserve, in the windows of the day on which it began.

    A cost of None is that of a model without a price: nothing is reserved, but every budget must
    have something left. A request that could use more than it needs sets the `wished_` amounts: it
    is granted as much of the difference as leaves room in the budgets for other requests.
    """

    id: uuid.UUID
    scopes: tuple[BudgetScope, ...]
    key_id: int
    owner_id: int | None
    day: date
    cost_nano_usd: int | None
    neurons_micro: int | None
    tokens: int = 0
    wished_cost_nano_usd: int | None = None
    wished_neurons_micro: int | None = None
    wished_tokens: int | None = None
    model: str = ""
    team_id: int | None = None
    user: str = ""
    # How many requests the amounts are for.
    requests: int = 1
    # Not of one request, but for a share (`shares.py`) of at most so many like it.
    shared_by: int = 0
    # Of each thing that budgets count, at its place of PLACE_OF; None for an unknown cost.
    needed: tuple[int | None, int | None, int, int] = field(init=False)

    def __post_init__(self) -> None:
        usd, neurons, tokens = self.cost_nano_usd, self.neurons_micro, self.tokens
        self.needed = (
            usd if usd is None or 0 <= usd <= _HIGHEST else _fit(usd),
            neurons if neurons is None or 0 <= neurons <= _HIGHEST else _fit(neurons),
            self.requests,
            tokens if 0 <= tokens <= _HIGHEST else _fit(tokens),
        )

    def amount(self, what: What) -> int | None:
        return self.needed[PLACE_OF[what]]

    def wished(self, what: What) -> int | None:
        """The wished amount; None for a claim that asks for no more than it needs."""
        if what == "usd":
            return self.wished_cost_nano_usd
        if what == "neurons":
            return self.wished_neurons_micro
        return self.wished_tokens if what == "tokens" else None

    @property
    def wishes(self) -> bool:
        return self.wished_cost_nano_usd is not None or self.wished_tokens is not None

    def with_part_of_wish(self, millionths: int) -> "Claim":
        """The claim with the amounts that are reserved when that part of its wish is granted."""
        return replace(
            self,
            cost_nano_usd=self._part("usd", millionths),
            neurons_micro=self._part("neurons", millionths),
            tokens=self._part("tokens", millionths) or 0,
            wished_cost_nano_usd=None,
            wished_neurons_micro=None,
            wished_tokens=None,
        )

    def times(self, requests: int) -> "Claim":
        """The claim of a share for so many requests, each with the amounts of this one."""
        usd, neurons, tokens = self.cost_nano_usd, self.neurons_micro, self.tokens
        return replace(
            self,
            cost_nano_usd=None if usd is None else usd * requests,
            neurons_micro=None if neurons is None else neurons * requests,
            tokens=tokens * requests,
            requests=requests,
        )

    def _part(self, what: What, millionths: int) -> int | None:
        amount, wished = self.amount(what), self.wished(what)
        if amount is None or wished is None or wished <= amount:
            return amount
        # Rounded up: the reservation must cover what may be used.
        return min(wished, amount - (amount - wished) * millionths // MILLION)

    @property
    def set_aside(self) -> Amounts:
        usd, neurons, requests, tokens = self.needed
        return Amounts(usd or 0, neurons or 0, requests, tokens)


def _fit(amount: int) -> int:
    return min(max(amount, 0), _HIGHEST)


@dataclass(frozen=True, slots=True)
class Granted:
    """Which part of the difference between wish and need was granted."""

    millionths: int


@dataclass(frozen=True, slots=True)
class Shared:
    """A share is reserved, for so many requests."""

    requests: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Which budget had too little left for a claim."""

    scope: BudgetScope
    budget: HeldLimit
    left: int
    asked: int | None
    # What all workers hold of it in shares, for so long at most.
    shared: int = 0
    shared_for_s: float = 0.0

    @property
    def lacks(self) -> int:
        """What would have to be left in addition."""
        return (1 if self.asked is None else self.asked) - self.left

    def counts(self, claim: Claim) -> bool:
        """Whether what a claim reserved counts against the budget."""
        return self.budget.subject.counts(claim.model) and any(
            scope.counted_as == self.scope.counted_as for scope in claim.scopes
        )

    def error(self, day: date) -> BudgetUsedUp:
        what, name = self.budget.subject.what, self.budget.subject.window
        window = Window(name)
        kind = CountUsedUp if what in ("requests", "tokens") else BudgetUsedUp
        return kind(
            limit=kind_text(what, name),
            whose=self.scope.words(self.budget),
            limit_text=amount_text(what, self.budget.amount),
            left_text=amount_text(what, max(0, self.left)),
            asked_text="an unknown amount" if self.asked is None else amount_text(what, self.asked),
            window=window.value,
            reset_at=window.reset_at(day),
        )


# None: exactly what the claim asked for is reserved.
Decision = Shortfall | Granted | Shared | None
