"""Counters in Redis, shared by all workers and hosts.

A request runs one script, so that check and take are atomic for key and owner together, by Redis's
own clock. A slot is held by a lease that its process renews: after a crash it is free when LEASE_S
has passed.

Each request is counted in the process's own memory as well. While Redis is unreachable these counts
decide, which is logged once. When it can be reached again, perhaps restarted empty, the slots of
running requests are written to it.

The keys of one script would be in different hash slots of a Redis Cluster, so Redis must be a
single server (replicas are fine).
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from keys.limits.counters import (
    CONCURRENCY_RETRY_S,
    Counted,
    Denial,
    Hold,
    Level,
    Limit,
    tightest,
)
from keys.limits.counting_scripts import COUNTED, GIVE_BACK, HEARTBEAT, RELEASE, TAKE
from keys.limits.memory_counters import MemoryCounters, MemoryHold
from keys.limits.redis_link import RedisLink
from keys.scopes import Scope

PREFIX: Final = "wai:limits"
HEARTBEAT_S: Final = 5.0


@dataclass(slots=True)
class _Held:
    """What a request has in one scope."""

    scope: Scope
    # Where Redis counts the request; empty where it could not be asked.
    bucket: str
    # Tokens: those asked of Redis, and those that are reserved.
    asked: int
    reserved: int
    requests: Level | None = None
    tokens: Level | None = None


class _RedisHold:
    __slots__ = ("_counts_alone", "_engine", "_first", "_held", "_local", "_slot")

    def __init__(self, engine: "RedisCounters", slot: str) -> None:
        self._engine = engine
        self._slot = slot
        # The hold in the process's own memory.
        self._local: MemoryHold | None = None
        self._held: list[_Held] = []
        # How many scopes were taken first.
        self._first = 0
        # Whether Redis was unreachable when it was asked last.
        self._counts_alone = False

    async def reserve_tokens(self, tokens: int, more: Sequence[Scope] = ()) -> Denial | None:
        limited = [held for held in self._held if held.scope.limits.tokens_per_minute is not None]
        if not limited and not more:
            return None
        scopes = [*(held.scope for held in limited), *more]
        amounts = [_amount(scope, tokens) for scope in scopes]
        # Set before the script runs: a release that runs before its answer arrives then removes
        # what it reserved.
        for held, amount in zip(limited, amounts, strict=False):
            held.asked = held.reserved = amount
        try:
            answer = await self._engine.take_in_redis(self._slot, scopes, amounts, len(limited))
        except BaseException:
            # Cancelled after the script was sent: it may have taken the slots of `more`.
            if more:
                self._engine.release_in_redis(0, self._slot, more, amounts[len(limited) :])
            raise
        denial = await self._decided(answer, scopes, amounts, limited, tokens)
        if denial is not None:
            for held in limited:
                held.reserved = 0
        return denial

    async def _decided(
        self,
        answer: list[bytes] | None,
        scopes: list[Scope],
        amounts: list[int],
        limited: list[_Held],
        tokens: int,
    ) -> Denial | None:
        if answer is not None and answer[0] == b"denied":
            return _denial(answer, scopes)
        more = scopes[len(limited) :]
        self._counts_alone = answer is None
        if answer is None:
            denial = await self._decided_here(more, tokens)
            if denial is not None:
                return denial
        else:
            if self._local is None:
                self._local = self._engine.fallback.count(more)
            else:
                self._local.take_unchecked(more)
            if tokens > 0:
                self._local.reserve_unchecked(tokens)
        bucket = "" if answer is None else answer[1].decode()
        added = [
            _Held(scope, bucket, amount, amount)
            for scope, amount in zip(more, amounts[len(limited) :], strict=True)
        ]
        self._first = self._first or len(added)
        self._held += added
        if answer is not None:
            _note_levels([*limited, *added], answer[2:])
        return None

    async def _decided_here(self, more: list[Scope], tokens: int) -> Denial | None:
        """While Redis is unreachable."""
        if self._local is not None:
            return await self._local.reserve_tokens(tokens, more)
        found = await self._engine.fallback.take(more, tokens)
        if isinstance(found, Denial):
            return found
        self._local = found
        return None

    def release(self, used_tokens: int) -> None:
        if self._local is not None:
            self._local.release(used_tokens)
        self._engine.forget(self)
        scopes = [held.scope for held in self._held]
        asked = [held.asked for held in self._held]
        self._engine.release_in_redis(used_tokens, self._slot, scopes, asked)

    def give_back_more(self) -> None:
        if self._local is not None:
            self._local.give_back_more()
        self._give_back_in_redis(self._held[self._first :])
        del self._held[self._first :]

    def give_back(self) -> None:
        if self._local is not None:
            self._local.give_back()
        self._engine.forget(self)
        self._give_back_in_redis(self._held)

    def _give_back_in_redis(self, held: list[_Held]) -> None:
        if held:
            arguments = [(each.scope, each.bucket, each.asked) for each in held]
            self._engine.give_back_in_redis(self._slot, arguments)

    def requests(self) -> Level | None:
        known = [held.requests for held in self._held if held.requests is not None]
        return tightest(known) if known or self._local is None else self._local.requests()

    def tokens(self) -> Level | None:
        if self._counts_alone and self._local is not None:
            return self._local.tokens()
        return tightest([held.tokens for held in self._held if held.tokens is not None])

    @property
    def members(self) -> list[tuple[Scope, str]]:
        return [(held.scope, f"{self._slot}|{held.reserved}") for held in self._held]


def _note_levels(asked: Sequence[_Held], levels: Sequence[bytes]) -> None:
    """`levels` are the numbers that Redis returned, four for each scope that it was asked of."""
    for at, held in enumerate(asked):
        requests, reset_s, used, rest_s = levels[4 * at : 4 * at + 4]
        limits = held.scope.limits
        if limits.requests_per_minute is not None and held.requests is None:
            held.requests = Level(limits.requests_per_minute, int(requests), float(reset_s))
        if limits.tokens_per_minute is not None:
            held.tokens = Level(limits.tokens_per_minute, int(used), float(rest_s))


class RedisCounters:
    """For one event loop. `fallback` decides while Redis is unreachable."""

    def __init__(
        self,
        url: str,
        *,
        fallback: MemoryCounters | None = None,
        prefix: str = PREFIX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = RedisLink(url, clock=clock, on_connect=self._restore)
        self.fallback = MemoryCounters() if fallback is None else fallback
        self._prefix = prefix
        self._live: set[_RedisHold] = set()
        self._heartbeat: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None

    def health(self) -> str:
        return self._link.health()

    async def look(self) -> str:
        # Renews nothing: who needs no limits has nothing else to ask. Two names, since a cluster
        # refuses what has more than one.
        names = [f"{self._prefix}:look:{number}" for number in (1, 2)]
        await self._link.run(HEARTBEAT, names, ["XX", "|0", "|0"])
        return self.health()

    async def take(self, scopes: Sequence[Scope], tokens: int = 0) -> Hold | Denial:
        # Not a secret. `uuid4` makes a system call, which gives the GIL to the ledger's thread.
        hold = _RedisHold(self, f"{random.getrandbits(128):032x}")
        denial = await hold.reserve_tokens(tokens, scopes)
        if denial is not None:
            return denial
        self._live.add(hold)
        self._keep_leases()
        return hold

    async def counted(self, scopes: Sequence[Scope]) -> list[Counted]:
        whats = ("requests", "tokens", "slots")
        names = [self._name(scope, what) for scope in scopes for what in whats]
        answer = await self._link.run(COUNTED, names, []) if scopes else None
        if answer is None:
            return await self.fallback.counted(scopes)
        return [_counted(answer[5 * at : 5 * at + 5]) for at in range(len(scopes))]

    async def take_in_redis(
        self, slot: str, scopes: Sequence[Scope], amounts: Sequence[int], held: int
    ) -> list[bytes] | None:
        """Of the first `held` scopes only tokens. None while Redis is unreachable."""
        names: list[str] = []
        arguments: list[str | int] = [slot]
        for at, (scope, amount) in enumerate(zip(scopes, amounts, strict=True)):
            limits = scope.limits
            arguments.append(int(at < held))
            for what, limit in (
                ("requests", limits.requests_per_minute),
                ("tokens", limits.tokens_per_minute),
                ("slots", limits.concurrency),
            ):
                names.append(self._name(scope, what))
                arguments.append(-1 if limit is None else limit)
            arguments.append(amount)
        return await self._link.run(TAKE, names, arguments)

    def release_in_redis(
        self, used_tokens: int, slot: str, scopes: Sequence[Scope], amounts: Sequence[int]
    ) -> None:
        self._send(RELEASE, ("tokens", "slots"), scopes, [used_tokens, slot, *amounts])

    def give_back_in_redis(self, slot: str, held: Sequence[tuple[Scope, str, int]]) -> None:
        """`held` are scopes with the bucket and the tokens in each."""
        arguments: list[str | int] = [slot]
        for _, bucket, amount in held:
            arguments += (bucket, amount)
        scopes = [scope for scope, _, _ in held]
        self._send(GIVE_BACK, ("requests", "slots"), scopes, arguments)

    def forget(self, hold: _RedisHold) -> None:
        self._live.discard(hold)

    def _send(
        self,
        script: str,
        kinds: tuple[str, str],
        scopes: Sequence[Scope],
        arguments: list[str | int],
    ) -> None:
        names = [self._name(scope, what) for scope in scopes for what in kinds]
        try:
            self._link.send(script, names, arguments)
        except RuntimeError:
            # No loop runs: the process is ending, and the leases will expire.
            return

    async def close(self) -> None:
        for task in (self._heartbeat, self._restoring):
            if task is not None:
                task.cancel()
        await self._link.close()

    def _name(self, scope: Scope, what: str) -> str:
        return f"{self._prefix}:{scope.counted_as}:{what}"

    # --- leases, and restoring them after a new connection ------------------------------------

    def _restore(self) -> None:
        restoring = self._tell_what_runs("CH")
        self._restoring = asyncio.get_running_loop().create_task(restoring)

    def _keep_leases(self) -> None:
        if self._heartbeat is None or self._heartbeat.done():
            self._heartbeat = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        """Renews the leases as long as something is held."""
        while self._live:
            await asyncio.sleep(HEARTBEAT_S)
            await self.renew_leases()

    async def renew_leases(self) -> None:
        await self._tell_what_runs("XX")

    async def _tell_what_runs(self, which: str) -> None:
        live = list(self._live)
        for start in range(0, len(live), 250):
            # A slot that was released meanwhile must not be added again.
            batch = [hold for hold in live[start : start + 250] if hold in self._live]
            held = [member for hold in batch for member in hold.members]
            names = [self._name(scope, "slots") for scope, _ in held]
            await self._link.run(HEARTBEAT, names, [which, *(member for _, member in held)])


def _counted(answer: Sequence[bytes]) -> Counted:
    requests, requests_s, tokens, tokens_s, running = answer
    return Counted(int(requests), float(requests_s), int(tokens), float(tokens_s), int(running))


def _amount(scope: Scope, tokens: int) -> int:
    """The tokens to reserve in a scope."""
    limit = scope.limits.tokens_per_minute
    return 0 if limit is None else min(tokens, limit)


def _denial(answer: list[bytes], scopes: Sequence[Scope]) -> Denial:
    limit = Limit(answer[2].decode())
    wait_s = float(answer[3])
    if limit is not Limit.REQUESTS:
        wait_s = max(wait_s, CONCURRENCY_RETRY_S)
    return Denial(limit, wait_s, scopes[int(answer[1]) - 1])
