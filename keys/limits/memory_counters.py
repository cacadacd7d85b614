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
    Counted,
    Denial,
    Level,
    Limit,
    tightest,
)
from keys.scopes import Scope

BUCKET_S: Final = 0.25


@dataclass(slots=True, eq=False)
class Bucket:
    leaves_at: float
    amount: int


class SlidingSum:
    """The sum of what was added in the last 60 seconds. Amounts added within a quarter second share
    a bucket, which counts until 60 seconds after its last amount: some amounts count slightly
    longer than 60 seconds, none shorter."""

    __slots__ = ("_buckets", "_opened_at", "_total")

    def __init__(self) -> None:
        self._buckets: deque[Bucket] = deque()
        self._opened_at = -math.inf
        self._total = 0

    def add(self, now: float, amount: int) -> "Bucket":
        """Returns where it was added, for `take_back`."""
        self._total += amount
        if self._buckets and now - self._opened_at < BUCKET_S:
            bucket = self._buckets[-1]
            bucket.leaves_at, bucket.amount = now + WINDOW_S, bucket.amount + amount
            return bucket
        self._opened_at = now
        bucket = Bucket(now + WINDOW_S, amount)
        self._buckets.append(bucket)
        return bucket

    def take_back(self, bucket: "Bucket", amount: int) -> None:
        # One that no longer counts has nothing left.
        amount = min(amount, bucket.amount)
        bucket.amount -= amount
        self._total -= amount

    def total(self, now: float) -> int:
        buckets = self._buckets
        while buckets and buckets[0].leaves_at <= now:
            gone = buckets.popleft()
            self._total -= gone.amount
            gone.amount = 0
        return self._total

    def level(self, limit: int, now: float, reserved: int = 0) -> Level:
        """How much of a limit is used, with what running requests have reserved of it."""
        used = self.total(now) + reserved
        if reserved:
            return Level(limit, used, WINDOW_S)
        buckets = self._buckets
        return Level(limit, used, min(WINDOW_S, buckets[-1].leaves_at - now) if buckets else 0.0)

    def seconds_until_left(self, now: float, amount: int) -> float:
        """How long until `amount` of the sum, or all of it, no longer counts."""
        left, wait_s = 0, 0.0
        for bucket in self._buckets:
            left += bucket.amount
            wait_s = _wait_s(bucket.leaves_at, now)
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

    def denial(self, scope: Scope, now: float, tokens: int) -> Denial | None:
        limits = scope.limits
        if limits.requests_per_minute is not None:
            excess = self.requests.total(now) + 1 - limits.requests_per_minute
            if excess > 0:
                wait_s = self.requests.seconds_until_left(now, excess)
                return Denial(Limit.REQUESTS, wait_s, scope)
        if limits.tokens_per_minute is not None:
            # At least one, whatever the limit: nothing is admitted where none is left.
            amount = max(1, min(tokens, limits.tokens_per_minute))
            used = self.tokens.total(now) + self.reserved_tokens
            excess = used + amount - limits.tokens_per_minute
            if excess > 0:
                return self.token_denial(scope, now, excess)
        if limits.concurrency is not None and self.running >= limits.concurrency:
            return Denial(Limit.CONCURRENCY, CONCURRENCY_RETRY_S, scope)
        return None

    def told(self, now: float) -> Counted:
        _, requests, requests_reset_after_s = self.requests.level(0, now)
        _, tokens, tokens_reset_after_s = self.tokens.level(0, now, self.reserved_tokens)
        return Counted(requests, requests_reset_after_s, tokens, tokens_reset_after_s, self.running)

    def token_denial(self, scope: Scope, now: float, excess: int) -> Denial:
        settled = self.tokens.total(now)
        wait_s = self.tokens.seconds_until_left(now, min(excess, settled)) if settled else 0.0
        # The rest is reserved by running requests, and it is not known when they end.
        return Denial(Limit.TOKENS, max(wait_s, CONCURRENCY_RETRY_S), scope)


class MemoryHold:
    __slots__ = ("_counted", "_engine", "_first", "_reserved", "_taken")

    def __init__(
        self, engine: "MemoryCounters", found: Sequence[tuple[Scope, _Counts]], now: float
    ) -> None:
        self._engine = engine
        self._counted: list[tuple[Scope, _Counts]] = []
        self._taken: list[tuple[_Counts, Bucket]] = []
        self._reserved: list[tuple[_Counts, int]] = []
        # How many scopes were taken first.
        self._first = len(found)
        self._take(found, now)

    async def reserve_tokens(self, tokens: int, more: Sequence[Scope] = ()) -> Denial | None:
        now = self._engine.clock()
        for scope, counts in self._counted:
            limit = scope.limits.tokens_per_minute
            if limit is not None:
                used = counts.tokens.total(now) + counts.reserved_tokens
                excess = used + min(tokens, limit) - limit
                if excess > 0:
                    return counts.token_denial(scope, now, excess)
        if more:
            found = self._engine.room_in(more, now, tokens)
            if isinstance(found, Denial):
                return found
            self._take(found, now)
        if tokens > 0:
            self.reserve_unchecked(tokens)
        return None

    def take_unchecked(self, scopes: Sequence[Scope]) -> None:
        """Without checking limits."""
        self._take(self._engine.counts_of(scopes), self._engine.clock())

    def reserve_unchecked(self, tokens: int) -> None:
        """Without checking limits."""
        for scope, counts in self._counted:
            limit = scope.limits.tokens_per_minute
            if limit is not None:
                amount = min(tokens, limit)
                counts.reserved_tokens += amount
                self._reserved.append((counts, amount))

    def _take(self, found: Sequence[tuple[Scope, _Counts]], now: float) -> None:
        for _, counts in found:
            self._taken.append((counts, counts.requests.add(now, 1)))
            counts.running += 1
        self._counted += found
        # Not earlier: before they counted, these scopes would have seemed idle.
        self._engine.drop_idle(now, len(found))

    def release(self, used_tokens: int) -> None:
        now = self._engine.clock()
        for counts, amount in self._reserved:
            counts.reserved_tokens -= amount
        for _, counts in self._counted:
            counts.running -= 1
            if used_tokens > 0:
                counts.tokens.add(now, used_tokens)

    def give_back_more(self) -> None:
        later = {id(counts) for _, counts in self._counted[self._first :]}
        for counts, amount in self._reserved:
            if id(counts) in later:
                counts.reserved_tokens -= amount
        for counts, bucket in self._taken[self._first :]:
            counts.requests.take_back(bucket, 1)
            counts.running -= 1
        self._reserved = [each for each in self._reserved if id(each[0]) not in later]
        del self._counted[self._first :], self._taken[self._first :]

    def give_back(self) -> None:
        for counts, bucket in self._taken:
            counts.requests.take_back(bucket, 1)
        self.release(0)

    def requests(self) -> Level | None:
        now = self._engine.clock()
        levels = []
        for scope, counts in self._counted:
            limit = scope.limits.requests_per_minute
            if limit is not None:
                levels.append(counts.requests.level(limit, now))
        return levels[0] if len(levels) == 1 else tightest(levels)

    def tokens(self) -> Level | None:
        now = self._engine.clock()
        levels = []
        for scope, counts in self._counted:
            limit = scope.limits.tokens_per_minute
            if limit is not None:
                levels.append(counts.tokens.level(limit, now, counts.reserved_tokens))
        return levels[0] if len(levels) == 1 else tightest(levels)


class MemoryCounters:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._counted: OrderedDict[str, _Counts] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counted)

    async def take(self, scopes: Sequence[Scope], tokens: int = 0) -> MemoryHold | Denial:
        now = self.clock()
        found = self.room_in(scopes, now, tokens)
        if isinstance(found, Denial):
            return found
        hold = MemoryHold(self, found, now)
        if tokens > 0:
            hold.reserve_unchecked(tokens)
        return hold

    async def counted(self, scopes: Sequence[Scope]) -> list[Counted]:
        now = self.clock()
        known = [self._counted.get(scope.counted_as) for scope in scopes]
        return [Counted() if counts is None else counts.told(now) for counts in known]

    def count(self, scopes: Sequence[Scope]) -> MemoryHold:
        """Without checking limits."""
        return MemoryHold(self, self.counts_of(scopes), self.clock())

    def room_in(
        self, scopes: Sequence[Scope], now: float, tokens: int
    ) -> list[tuple[Scope, _Counts]] | Denial:
        """The counts of scopes that all have room for one request with so many tokens."""
        found = self.counts_of(scopes)
        for scope, counts in found:
            denial = counts.denial(scope, now, tokens)
            if denial is not None:
                self._drop_new(found, now)
                return denial
        return found

    def health(self) -> str:
        return ""

    async def look(self) -> str:
        return ""

    async def close(self) -> None:
        """Nothing to close."""

    def counts_of(self, scopes: Sequence[Scope]) -> list[tuple[Scope, _Counts]]:
        found = []
        for scope in scopes:
            name = scope.counted_as
            counts = self._counted.get(name)
            if counts is None:
                counts = self._counted[name] = _Counts()
            else:
                self._counted.move_to_end(name)
            found.append((scope, counts))
        return found

    def _drop_new(self, found: Sequence[tuple[Scope, _Counts]], now: float) -> None:
        """Whom a request names does not stay in memory if it is refused."""
        for scope, counts in found:
            if counts.is_idle(now):
                self._counted.pop(scope.counted_as, None)

    def drop_idle(self, now: float, most: int) -> None:
        """Looks at the least recently used scopes, and drops those that are idle. As many as a
        request has keep memory bounded."""
        for _ in range(most):
            name = next(iter(self._counted), None)
            if name is None:
                return
            if self._counted[name].is_idle(now):
                del self._counted[name]
            else:
                self._counted.move_to_end(name)
