"""What may be tried again, and when. Pure but for the random jitter.

Only failures before the first byte of an answer come here. Cloudflare's clients retry 408, 409, 429
and 5xx; a used-up daily allocation is a 429 for which retries are useless before 00:00 UTC.
"""

import random
from dataclasses import dataclass

from workers_ai.errors import (
    RateReached,
    Refused,
    SchemaUnmet,
    ServerFault,
    TimedOut,
    TryAgainSoon,
    Unreachable,
    UpstreamTimedOut,
    WorkersAIError,
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`retries` tries beyond the first, while the whole call is younger than `budget_s`."""

    retries: int = 2
    budget_s: float = 15.0
    first_delay_s: float = 0.4
    longest_delay_s: float = 8.0

    def delay_s(
        self,
        error: WorkersAIError,
        *,
        attempt: int,
        elapsed_s: float,
        repeatable: bool,
        waits: bool = True,
    ) -> float | None:
        """Seconds to wait before try `attempt + 1`; None when there shall be none.

        `repeatable` is False for calls that cost money each time they run, such as pictures:
        those are repeated only when upstream certainly did not run them. Who does not wait, as they
        have another model to ask, repeats only what every model would fail at, and a rate.
        """
        if not waits and not isinstance(error, RateReached | Unreachable | TimedOut):
            return None
        if attempt > self.retries or not worth_repeating(error, repeatable=repeatable):
            return None
        if isinstance(error, SchemaUnmet) and attempt > 1:
            return None  # a schema that this model misses twice is too hard for it
        backoff_s = min(self.longest_delay_s, self.first_delay_s * 2 ** (attempt - 1))
        delay_s = backoff_s * random.uniform(0.5, 1.0)
        asked_s = error.retry_after_s if isinstance(error, Refused) else None
        if asked_s is not None:
            delay_s = max(delay_s, asked_s)
        return delay_s if elapsed_s + delay_s <= self.budget_s else None


def worth_repeating(error: WorkersAIError, *, repeatable: bool) -> bool:
    """Whether the same request may succeed if it is sent again now."""
    if isinstance(error, Unreachable):
        return repeatable or not error.sent
    if isinstance(error, TimedOut):
        return error.phase == "connect"
    if isinstance(error, UpstreamTimedOut | SchemaUnmet):
        return repeatable
    return isinstance(error, TryAgainSoon | ServerFault)
