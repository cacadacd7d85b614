"""A key as requests need it, in memory: its owner, what it may use, and how much."""

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from keys import addresses
from keys.addresses import Network
from keys.held_limits import HeldLimit, Raised, effective, next_end, of_columns
from keys.scopes import NO_LIMITS, Limits, Scope


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key in memory. Times are epoch seconds; None means no restriction."""

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
    # The limits of all the owner's keys together.
    owner_limits: Limits = NO_LIMITS
    # Identifies the owner's password, which playground tokens end with.
    owner_mark: str = ""
    # The team that the owner is in.
    team_id: int | None = None
    team_name: str = ""
    # Limits beyond those columns: the key's own, its owner's, its team's, everybody's, and those
    # of each of its users; the raises of any of its limits; and when they were read.
    more_limits: tuple[HeldLimit, ...] = ()
    raises: tuple[Raised, ...] = ()
    read_at: float = 0.0
    # All limits that hold for the key, raised where they are, and until when they are as they are.
    effective_limits: tuple[HeldLimit, ...] = field(init=False)
    effective_until: float = field(init=False)
    # Which of key and owner have a limit on rates, and which have a budget.
    rate_scopes: tuple[Scope, ...] = field(init=False)
    budget_scopes: tuple[Scope, ...] = field(init=False)

    def __post_init__(self) -> None:
        held = [*of_columns("key", self.id, self.limits), *self.more_limits]
        if self.owner_id is not None:
            held += of_columns("owner", self.owner_id, self.owner_limits)
        limits = effective(held, self.raises, self.read_at) if held else ()
        object.__setattr__(self, "effective_limits", limits)
        end = next_end(self.raises, self.read_at) if self.raises else None
        object.__setattr__(self, "effective_until", math.inf if end is None else end)
        scopes = [Scope("key", self.id, self.limits)]
        if self.owner_id is not None:
            scopes.append(Scope("owner", self.owner_id, self.owner_limits))
        rates = tuple(scope for scope in scopes if scope.limits.have_rates)
        budgets = tuple(scope for scope in scopes if scope.limits.have_budgets)
        object.__setattr__(self, "rate_scopes", rates)
        object.__setattr__(self, "budget_scopes", budgets)

    def allows_model(self, name: str) -> bool:
        return self.model_patterns is None or matches_any(self.model_patterns, name)

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
def matches_any(patterns: tuple[str, ...], name: str) -> bool:
    # Callers choose the names, so the cache is bounded; fnmatch caches compiled patterns.
    return any(fnmatchcase(name, pattern) for pattern in patterns)
