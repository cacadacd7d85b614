"""Limits as operators set them, and who shares them, as requests have them in memory. Pure."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a key or an owner. None means no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    daily_budget_nano_usd: int | None = None
    monthly_budget_nano_usd: int | None = None
    total_budget_nano_usd: int | None = None
    daily_neurons_micro: int | None = None

    @property
    def have_rates(self) -> bool:
        rates = (self.requests_per_minute, self.tokens_per_minute, self.concurrency)
        return any(limit is not None for limit in rates)

    @property
    def have_budgets(self) -> bool:
        usd = (self.daily_budget_nano_usd, self.monthly_budget_nano_usd, self.total_budget_nano_usd)
        return any(limit is not None for limit in (*usd, self.daily_neurons_micro))


NO_LIMITS: Final = Limits()
ScopeKind = Literal["key", "owner", "reads"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Who shares a set of limits: one key, or all keys of one owner; or what a key reads about
    itself and its models.
    """

    kind: ScopeKind
    id: int
    limits: Limits

    @property
    def words(self) -> str:
        return _WORDS[self.kind]


_WORDS: Final = {
    "key": "this API key",
    "owner": "all API keys of this owner",
    "reads": "reading with this API key",
}
