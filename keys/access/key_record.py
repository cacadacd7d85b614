"""A key as requests need it, in memory: its owner, what it may use, and how much."""

import math
from dataclasses import dataclass, field

from keys import addresses
from keys.access import reserve
from keys.addresses import Network
from keys.held_limits import HeldLimit, Raised, effective, next_end, of_columns
from keys.model_patterns import matches_any
from keys.request_scopes import (
    BudgetScope,
    are_met_by_all,
    budget_scopes,
    is_met_by_all,
    rate_scopes,
)
from keys.scopes import NO_LIMITS, HolderKind, Limits, Scope


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
    # How often it is served in the account's line when a key of weight 1 is served once.
    queue_weight: int = 1
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
    # Whose rates each request meets as it is admitted; those that it may meet once its model and
    # the person behind it are known; and whose budgets it may meet then, or meets in any case.
    rate_scopes: tuple[Scope, ...] = field(init=False)
    later_rate_scopes: tuple[Scope, ...] = field(init=False)
    budget_scopes: tuple[BudgetScope, ...] = field(init=False)
    meets_all_budgets: bool = field(init=False)

    def __post_init__(self) -> None:
        held = [*of_columns("key", self.id, self.limits), *self.more_limits]
        if self.owner_id is not None:
            held += of_columns("owner", self.owner_id, self.owner_limits)
        limits = effective(held, self.raises, self.read_at) if held else ()
        object.__setattr__(self, "effective_limits", limits)
        end = next_end(self.raises, self.read_at) if self.raises else None
        object.__setattr__(self, "effective_until", math.inf if end is None else end)
        rates: tuple[Scope, ...] = ()
        later: tuple[Scope, ...] = ()
        budgets: tuple[BudgetScope, ...] = ()
        if limits:
            names: dict[HolderKind, str] = {
                "team": self.team_name,
                "everybody": reserve.words_of_others(),
            }
            every = rate_scopes(limits, names)
            rates = tuple(scope for scope in every if is_met_by_all(scope))
            later = tuple(scope for scope in every if not is_met_by_all(scope))
            budgets = budget_scopes(limits, names)
        object.__setattr__(self, "rate_scopes", rates)
        object.__setattr__(self, "later_rate_scopes", later)
        object.__setattr__(self, "budget_scopes", budgets)
        object.__setattr__(self, "meets_all_budgets", all(map(are_met_by_all, budgets)))

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
