"""The interface of counters of requests, tokens and slots (requests at once).

`memory_counters.py` counts for one process, `redis_counters.py` for all processes that share
limits.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from keys.scopes import Scope

WINDOW_S: Final = 60.0
# It is not known when a running request ends, so clients are told to try again after this.
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
    """How much of a limit is used, and how long until nothing of that counts any more."""

    limit: int
    used: int
    reset_after_s: float

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


class Counted(NamedTuple):
    """What a scope's requests have taken: of the last minute, and now. Tokens are with those that
    running requests have reserved."""

    requests: int = 0
    requests_reset_after_s: float = 0.0
    tokens: int = 0
    tokens_reset_after_s: float = 0.0
    running: int = 0


class Hold(Protocol):
    """What one request has taken in every scope, until it is released or given back."""

    async def reserve_tokens(self, tokens: int, more: Sequence[Scope] = ()) -> Denial | None:
        """Reserve `tokens` in each scope that limits them, at most the whole limit: estimates are
        usually far above the use, and a key with a limit below the usual max_tokens could otherwise
        never be used. In the scopes of `more` the request has
        taken nothing so far: count it and its slot as well. A `Denial` if one is at a limit: then
        nothing is reserved and nothing of `more` counted."""

    def release(self, used_tokens: int) -> None:
        """Free the slots and the reserved tokens. `used_tokens` count for a minute from now. Does
        not block."""

    def give_back_more(self) -> None:
        """Free what `reserve_tokens` took in the scopes of `more`, as if it had not been asked for
        those. Does not block."""

    def give_back(self) -> None:
        """Free all that was taken, for a request that a limit refuses: it does not count as one of
        the minute either. Does not block."""

    def requests(self) -> Level | None:
        """The level of the scope with the least left; None where no scope has such a limit."""

    def tokens(self) -> Level | None: ...


class Counters(Protocol):
    """Counts what requests take."""

    async def take(self, scopes: Sequence[Scope], tokens: int = 0) -> Hold | Denial:
        """Count one request and its slot in every scope, and reserve `tokens` in each that limits
        them. A `Denial` if one is at a limit: then nothing is counted."""

    async def counted(self, scopes: Sequence[Scope]) -> list[Counted]:
        """What is counted in these scopes now, without counting anything."""

    def health(self) -> str:
        """What was wrong last, in a few words; empty when all was well."""

    async def look(self) -> str:
        """The same, after asking."""

    async def close(self) -> None:
        """Call it before the event loop ends."""


def tightest(levels: Sequence[Level]) -> Level | None:
    return min(levels, key=lambda level: level.remaining, default=None)
