"""Counts of the last minute and of now, behind the limits. In the memory of one process.

`MemoryCounters` is exact because it is used from one event loop only and never awaits between the
look and the take. A minute is any 60 seconds, not one of the clock: nobody gets twice the limit
around a full minute. Memory: a fixed number of buckets a key, and keys that rest are dropped.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, Protocol

WINDOW_S: Final = 60.0
BUCKET_S: Final = 0.25
# When something runs, nobody knows how long; a client that waits a second does no harm.
CONCURRENCY_RETRY_S: Final = 1.0


class Limit(Enum):
    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"


class Denial(NamedTuple):
    limit: Limit
    retry_after_s: float


class Level(NamedTuple):
    """How much is counted now, and how long until all of it is forgotten."""

    used: int
    reset_after_s: float


class Counters(Protocol):
    """What admission needs of an engine. None as a limit means that there is none."""

    def take(
        self,
        key_id: int,
        *,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        concurrency: int | None,
    ) -> Denial | None:
        """Count one request and its slot, or nothing at all and say why."""

    def reserve_tokens(self, key_id: int, tokens: int, *, tokens_per_minute: int) -> Denial | None:
        """Hold `tokens` until `release`."""

    def release(self, key_id: int, *, reserved_tokens: int, used_tokens: int) -> None:
        """Free the slot and the reservation; what was used counts for a minute from now."""

    def requests(self, key_id: int) -> Level: ...

    def tokens(self, key_id: int) -> Level: ...


class SlidingSum:
    """What was added in the last 60 seconds. What came within a quarter second leaves together,
    60 seconds after the last of it: the sum may hold on a little long but never lets go early."""

    __slots__ = ("_buckets", "_opened_at", "_total")

    def __init__(self) -> None:
        self._buckets: deque[tuple[float, int]] = deque()  # when it leaves, how much
        self._opened_at = -math.inf
        self._total = 0

    def add(self, now: float, amount: int) -> None:
        self._total += amount
        if self._buckets and now - self._opened_at < BUCKET_S:
            amount += self._buckets.pop()[1]
        else:
            self._opened_at = now
        self._buckets.append((now + WINDOW_S, amount))

    def total(self, now: float) -> int:
        while self._buckets and self._buckets[0][0] <= now:
            self._total -= self._buckets.popleft()[1]
        return self._total

    def seconds_until_left(self, now: float, amount: int) -> float:
        """How long until `amount` of the sum, or all that there is, has left."""
        left, wait_s = 0, 0.0
        for leaves_at, bucket in self._buckets:
            left += bucket
            wait_s = max(0.0, leaves_at - now)
            if left >= amount:
                break
        return wait_s


@dataclass(slots=True)
class _KeyCounts:
    requests: SlidingSum = field(default_factory=SlidingSum)
    tokens: SlidingSum = field(default_factory=SlidingSum)
    reserved_tokens: int = 0
    running: int = 0

    def rests(self, now: float) -> bool:
        return not (self.running or self.requests.total(now) or self.tokens.total(now))


class MemoryCounters:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._keys: OrderedDict[int, _KeyCounts] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def take(
        self,
        key_id: int,
        *,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        concurrency: int | None,
    ) -> Denial | None:
        now = self._clock()
        counts = self._counts(key_id, now)
        if requests_per_minute is not None:
            excess = counts.requests.total(now) + 1 - requests_per_minute
            if excess > 0:
                wait_s = counts.requests.seconds_until_left(now, excess)
                return Denial(Limit.REQUESTS, wait_s)
        if tokens_per_minute is not None:
            denial = self._denied_tokens(counts, now, 1, tokens_per_minute)
            if denial is not None:
                return denial
        if concurrency is not None and counts.running >= concurrency:
            return Denial(Limit.CONCURRENCY, CONCURRENCY_RETRY_S)
        counts.requests.add(now, 1)
        counts.running += 1
        return None

    def reserve_tokens(self, key_id: int, tokens: int, *, tokens_per_minute: int) -> Denial | None:
        now = self._clock()
        counts = self._counts(key_id, now)
        denial = self._denied_tokens(counts, now, tokens, tokens_per_minute)
        if denial is None:
            counts.reserved_tokens += tokens
        return denial

    def release(self, key_id: int, *, reserved_tokens: int, used_tokens: int) -> None:
        now = self._clock()
        counts = self._counts(key_id, now)
        counts.running = max(0, counts.running - 1)
        counts.reserved_tokens = max(0, counts.reserved_tokens - reserved_tokens)
        if used_tokens > 0:
            counts.tokens.add(now, used_tokens)

    def requests(self, key_id: int) -> Level:
        now = self._clock()
        counts = self._keys.get(key_id)
        if counts is None:
            return Level(0, 0.0)
        used = counts.requests.total(now)
        return Level(used, counts.requests.seconds_until_left(now, used))

    def tokens(self, key_id: int) -> Level:
        now = self._clock()
        counts = self._keys.get(key_id)
        if counts is None:
            return Level(0, 0.0)
        settled = counts.tokens.total(now)
        wait_s = counts.tokens.seconds_until_left(now, settled)
        if counts.reserved_tokens:
            wait_s = WINDOW_S
        return Level(settled + counts.reserved_tokens, wait_s)

    def _denied_tokens(
        self, counts: _KeyCounts, now: float, tokens: int, tokens_per_minute: int
    ) -> Denial | None:
        settled = counts.tokens.total(now)
        excess = settled + counts.reserved_tokens + tokens - tokens_per_minute
        if excess <= 0:
            return None
        wait_s = counts.tokens.seconds_until_left(now, min(excess, settled)) if settled else 0.0
        # Where the rest is held by requests that run, a second is as good a guess as any.
        return Denial(Limit.TOKENS, max(wait_s, CONCURRENCY_RETRY_S))

    def _counts(self, key_id: int, now: float) -> _KeyCounts:
        counts = self._keys.get(key_id)
        if counts is None:
            counts = self._keys[key_id] = _KeyCounts()
        self._keys.move_to_end(key_id)
        # One look at the key that was used longest ago, each time, keeps the rest swept.
        oldest_id = next(iter(self._keys))
        if oldest_id != key_id:
            if self._keys[oldest_id].rests(now):
                del self._keys[oldest_id]
            else:
                self._keys.move_to_end(oldest_id, last=True)
                self._keys.move_to_end(key_id)
        return counts
