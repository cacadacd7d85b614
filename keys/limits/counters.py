"""What admission needs of an engine that counts requests, tokens and slots.

`memory_counters.py` counts for one process, `redis_counters.py` for all that share limits.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from keys.scopes import Scope

WINDOW_S: Final = 60.0
# When something runs, nobody knows how long; a client that waits a second does no harm.
CONCURRENCY_RETRY_S: Final = 1.0


class Limit(Enum):
    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"


class Denial(NamedTuple):
    limit: Limit
    retry_after_s: float
    scope: Scope


class Level(NamedTuple):
    """How much of a limit is in use, and how long until all of that is forgotten."""

    limit: int
    used: int
    reset_after_s: float

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


class Hold(Protocol):
    """What one request has taken, in every scope, until it is released."""

    async def reserve_tokens(self, tokens: int) -> Denial | None:
        """Hold `tokens` in each scope that limits them, or nothing at all and say why."""

    def release(self, used_tokens: int) -> None:
        """Free the slots and the reservation; what was used counts for a minute from now. Waits
        for nothing."""

    def requests(self) -> Level | None:
        """Of the scope with the least left; None where no scope has such a limit."""

    def tokens(self) -> Level | None: ...


class Counters(Protocol):
    """What admission needs of an engine."""

    async def take(self, scopes: Sequence[Scope]) -> Hold | Denial:
        """Count one request and its slot in every scope, or nothing at all and say why."""

    def health(self) -> str:
        """What is wrong, in a few words; empty when all is well."""

    async def close(self) -> None:
        """Before the event loop ends."""


def tightest(levels: Sequence[Level]) -> Level | None:
    if len(levels) == 1:
        return levels[0]
    return min(levels, key=lambda level: level.remaining, default=None)


def capped(tokens: int, limit: int) -> int:
    """An estimate is far above the use as a rule. One above the whole limit may run when it is
    alone, or a key with a limit below the usual max_tokens could never be used."""
    return min(max(tokens, 0), limit)
