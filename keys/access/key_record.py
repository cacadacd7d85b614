"""What a request needs to know of its key, in memory: who it is, what it may use, how much."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from keys import addresses
from keys.addresses import Network
from keys.scopes import NO_LIMITS, Limits, Scope


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What a request needs to know of its key. Times are epoch seconds."""

    id: int
    name: str
    prefix: str
    owner_id: int | None
    owner_name: str
    created_at: float
    expires_at: float | None
    revoked: bool
    model_patterns: tuple[str, ...] | None
    endpoints: tuple[str, ...] | None
    networks: tuple[Network, ...] | None
    limits: Limits
    # Whether prompts and answers are stored.
    captures: bool = False
    # Of all the owner's keys together.
    owner_limits: Limits = NO_LIMITS
    # Of the owner's password, for the playground's tokens.
    owner_mark: str = ""
    # Those of the two that have a limit on rates, and those that have a budget.
    rate_scopes: tuple[Scope, ...] = field(init=False)
    budget_scopes: tuple[Scope, ...] = field(init=False)

    def __post_init__(self) -> None:
        scopes = [Scope("key", self.id, self.limits)]
        if self.owner_id is not None:
            scopes.append(Scope("owner", self.owner_id, self.owner_limits))
        rates = tuple(scope for scope in scopes if scope.limits.have_rates)
        budgets = tuple(scope for scope in scopes if scope.limits.have_budgets)
        object.__setattr__(self, "rate_scopes", rates)
        object.__setattr__(self, "budget_scopes", budgets)

    def allows_model(self, name: str) -> bool:
        return self.model_patterns is None or _matches_any(self.model_patterns, name)

    def allows_endpoint(self, name: str) -> bool:
        return self.endpoints is None or name in self.endpoints

    def allows_address(self, address: str) -> bool:
        if self.networks is None:
            return True
        try:
            ip = addresses.address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.networks)


@lru_cache(maxsize=8192)
def _matches_any(patterns: tuple[str, ...], name: str) -> bool:
    # Requested names come from callers, so the cache is bounded; fnmatch keeps compiled patterns.
    return any(fnmatchcase(name, pattern) for pattern in patterns)
