"""Counters of the last minute and of running requests, in the memory of one process.

`MemoryCounters` is exact because it is used from one event loop only and its coroutines never
suspend: nothing happens between check and take. The minute is a sliding window, not a minute of the
clock, so nobody gets twice the limit around a full minute. Memory is bounded: a scope has a fixed
number of buckets, and idle scopes are dropped.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from keys.limits.counters import (
    CONCURRENCY_RETRY_S,
    WINDOW_S,
    Denial,
    Level,
    Limit,
    capped,
    tightest,
)
from keys.scopes import Scope

BUCKET_S: Final = 0.25


class SlidingSum:
    """The sum of what was added in the last 60 seconds. Amounts added within a quarter second share
    a bucket, which counts until 60 seconds after its last amount: some amounts count slightly
    longer than 60 seconds, none shorter."""

    __slots__ = ("_buckets", "_opened_at", "_total")

    def __init__(self) -> None:
        self._buckets: deque[tuple[float, int]] = deque()  # counts until when, how much
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
        buckets = self._buckets
        while buckets and buckets[0][0] <= now:
            self._total -= buckets.popleft()[1]
        return self._total

    def seconds_until_none_left(self, now: float) -> float:
        return _wait_s(self._buckets[-1][0], now) if self._buckets else 0.0

    def seconds_until_left(self, now: float, amount: int) -> float:
        """How long until `amount` of the sum, or all of it, no longer counts."""
        left, wait_s = 0, 0.0
        for leaves_at, bucket in self._buckets:
            left += bucket
            wait_s = _wait_s(leaves_at, now)
            if left >= amount:
                break
        return wait_s


def _wait_s(leaves_at: float, now: float) -> float:
    """At most the window, also after the rounding of a difference, which would be told as 61 s."""
    return min(max(0.0, leaves_at - now), WINDOW_S)


@dataclass(slots=True)
class _Counts:
    """The counts of one scope."""

    requests: SlidingSum = field(default_factory=SlidingSum)
    tokens: SlidingSum = field(default_factory=SlidingSum)
    reserved_tokens: int = 0
    running: int = 0

    def is_idle(self, now: float) -> bool:
        return not (self.running or self.requests.total(now) or self.tokens.total(now))

    def denial(self, scope: Scope, now: float) -> Denial | None:
        limits = scope.limits
        if limits.requests_per_minute is not None:
            excess = self.requests.total(now) + 1 - limits.requests_per_minute
            if excess > 0:
                wait_s = self.requests.seconds_until_left(now, excess)
                return Denial(Limit.REQUESTS, wait_s, scope)
        if limits.tokens_per_minute is not None:
            denial = self.token_denial(scope, now, 1, limits.tokens_per_minute)
            if denial is not None:
                return denial
        if limits.concurrency is not None and self.running >= limits.concurrency:
            return Denial(Limit.CONCURRENCY, CONCURRENCY_RETRY_S, scope)
        return None

    def token_denial(self, scope: Scope, now: float, tokens: int, limit: int) -> Denial | None:
        settled = self.tokens.total(now)
        excess = settled + self.reserved_tokens + tokens - limit
        if excess <= 0:
            return None
        wait_s = self.tokens.seconds_until_left(now, min(excess, settled)) if settled else 0.0
        # The rest is reserved by running requests, and it is not known when they end.
        return Denial(Limit.TOKENS, max(wait_s, CONCURRENCY_RETRY_S), scope)


class MemoryHold:
    __slots__ = ("_counted", "_engine", "_reserved")

    def __init__(self, engine: "MemoryCounters", counted: Sequence[tuple[Scope, _Counts]]) -> None:
        self._engine = engine
        self._counted = counted
        self._reserved: list[tuple[_Counts, int]] = []

    async def reserve_tokens(self, tokens: int) -> Denial | None:
        now = self._engine.clock()
        for scope, counts in self._counted:
            limit = scope.limits.tokens_per_minute
            if limit is not None:
                denial = counts.token_denial(scope, now, capped(tokens, limit), limit)
                if denial is not None:
                    return denial
        self.hold_tokens(tokens)
        return None

    def hold_tokens(self, tokens: int) -> None:
        """Without checking limits."""
        for scope, counts in self._counted:
            limit = scope.limits.tokens_per_minute
            if limit is not None:
                amount = capped(tokens, limit)
                counts.reserved_tokens += amount
                self._reserved.append((counts, amount))

    def release(self, used_tokens: int) -> None:
        now = self._engine.clock()
        for counts, amount in self._reserved:
            counts.reserved_tokens -= amount
        for _, counts in self._counted:
            counts.running -= 1
            if used_tokens > 0:
                counts.tokens.add(now, used_tokens)

    def requests(self) -> Level | None:
        now = self._engine.clock()
        levels = []
        for scope, counts in self._counted:
            limit = scope.limits.requests_per_minute
            if limit is not None:
                used = counts.requests.total(now)
                levels.append(Level(limit, used, counts.requests.seconds_until_none_left(now)))
        return tightest(levels)

    def tokens(self) -> Level | None:
        now = self._engine.clock()
        levels = []
        for scope, counts in self._counted:
            limit = scope.limits.tokens_per_minute
            if limit is not None:
                settled, reserved = counts.tokens.total(now), counts.reserved_tokens
                rest_s = WINDOW_S if reserved else counts.tokens.seconds_until_none_left(now)
                levels.append(Level(limit, settled + reserved, rest_s))
        return tightest(levels)


class MemoryCounters:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._counted: OrderedDict[tuple[str, int], _Counts] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counted)

    async def take(self, scopes: Sequence[Scope]) -> MemoryHold | Denial:
        now = self.clock()
        found = []
        for scope in scopes:
            counts = self._counts(scope)
            denial = counts.denial(scope, now)
            if denial is not None:
                return denial
            found.append((scope, counts))
        return self._hold(found, now)

    def count(self, scopes: Sequence[Scope]) -> MemoryHold:
        """Without checking limits."""
        return self._hold([(scope, self._counts(scope)) for scope in scopes], self.clock())

    def health(self) -> str:
        return ""

    async def look(self) -> str:
        return ""

    async def close(self) -> None:
        """Nothing to close."""

    def _hold(self, found: Sequence[tuple[Scope, _Counts]], now: float) -> MemoryHold:
        for _, counts in found:
            counts.requests.add(now, 1)
            counts.running += 1
        # Not earlier: before they counted, these scopes would have seemed idle.
        for _ in found:
            self._drop_idle(now)
        return MemoryHold(self, found)

    def _counts(self, scope: Scope) -> _Counts:
        name = (scope.kind, scope.id)
        counts = self._counted.get(name)
        if counts is None:
            counts = self._counted[name] = _Counts()
        else:
            self._counted.move_to_end(name)
        return counts

    def _drop_idle(self, now: float) -> None:
        """Drops the least recently used scope if it is idle. One a request keeps memory bounded."""
        name = next(iter(self._counted))
        if self._counted[name].is_idle(now):
            del self._counted[name]
        else:
            self._counted.move_to_end(name)
