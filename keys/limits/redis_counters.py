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
from typing import Final

from keys.limits.counters import (
    CONCURRENCY_RETRY_S,
    WINDOW_S,
    Denial,
    Hold,
    Level,
    Limit,
    capped,
    tightest,
)
from keys.limits.counting_scripts import HEARTBEAT, RELEASE, RESERVE, TAKE
from keys.limits.memory_counters import MemoryCounters, MemoryHold
from keys.limits.redis_link import RedisLink
from keys.scopes import Scope

PREFIX: Final = "wai:limits"
HEARTBEAT_S: Final = 5.0


class _RedisHold:
    __slots__ = (
        "_asked",
        "_engine",
        "_local",
        "_requests",
        "_reserved",
        "_scopes",
        "_slot",
        "_tokens",
    )

    def __init__(
        self,
        engine: "RedisCounters",
        scopes: Sequence[Scope],
        slot: str,
        *,
        local: MemoryHold | None = None,
        levels: Sequence[bytes] = (),
    ) -> None:
        """`local` is the hold in the process's memory, `levels` the numbers that Redis returned."""
        self._engine = engine
        self._scopes = scopes
        self._slot = slot
        self._local = local
        self._asked = [0] * len(scopes)
        self._reserved = [0] * len(scopes)
        self._requests: Level | None = None
        self._tokens: Level | None = None
        if levels:
            limits = [scope.limits for scope in scopes]
            self._requests = tightest(
                [
                    Level(each.requests_per_minute, int(levels[4 * i]), float(levels[4 * i + 1]))
                    for i, each in enumerate(limits)
                    if each.requests_per_minute is not None
                ]
            )
            self._tokens = tightest(
                [
                    Level(each.tokens_per_minute, int(levels[4 * i + 2]), float(levels[4 * i + 3]))
                    for i, each in enumerate(limits)
                    if each.tokens_per_minute is not None
                ]
            )
        elif local is not None:
            self._requests, self._tokens = local.requests(), local.tokens()

    async def reserve_tokens(self, tokens: int) -> Denial | None:
        limited = [
            (number, scope, scope.limits.tokens_per_minute)
            for number, scope in enumerate(self._scopes)
            if scope.limits.tokens_per_minute is not None
        ]
        if not limited or self._local is None:
            return None
        amounts = [capped(tokens, limit) for _, _, limit in limited]
        # Set before the script runs: a release that runs before its answer arrives then removes
        # what it reserved.
        for (number, _, _), amount in zip(limited, amounts, strict=True):
            self._asked[number] = self._reserved[number] = amount
        answer = await self._engine.reserve(
            self._slot,
            [scope for _, scope, _ in limited],
            [(amount, limit) for amount, (_, _, limit) in zip(amounts, limited, strict=True)],
        )
        if answer is None:
            denial = await self._local.reserve_tokens(tokens)
            self._tokens = self._local.tokens()
        elif answer[0] == b"denied":
            denial = _denial(answer, [scope for _, scope, _ in limited])
        else:
            denial = None
            self._local.hold_tokens(tokens)
            self._tokens = tightest(
                [
                    Level(limit, int(used), WINDOW_S)
                    for (_, _, limit), used in zip(limited, answer[1:], strict=True)
                ]
            )
        if denial is not None:
            self._reserved = [0] * len(self._scopes)
        return denial

    def release(self, used_tokens: int) -> None:
        if self._local is not None:
            self._local.release(used_tokens)
        self._engine.release(self, self._scopes, [used_tokens, self._slot, *self._asked])

    def requests(self) -> Level | None:
        return self._requests

    def tokens(self) -> Level | None:
        return self._tokens

    @property
    def members(self) -> list[tuple[Scope, str]]:
        return [
            (scope, f"{self._slot}|{tokens}")
            for scope, tokens in zip(self._scopes, self._reserved, strict=True)
        ]


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
        self._fallback = MemoryCounters() if fallback is None else fallback
        self._prefix = prefix
        self._live: set[_RedisHold] = set()
        self._heartbeat: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None

    def health(self) -> str:
        return self._link.health()

    async def look(self) -> str:
        # Renews nothing: who needs no limits has nothing else to ask.
        await self._link.run(HEARTBEAT, [], ["XX"])
        return self.health()

    async def take(self, scopes: Sequence[Scope]) -> Hold | Denial:
        # Not a secret. `uuid4` makes a system call, which gives the GIL to the ledger's thread.
        slot = f"{random.getrandbits(128):032x}"
        names: list[str] = []
        arguments: list[str | int] = [slot]
        for scope in scopes:
            limits = scope.limits
            for what, limit in (
                ("requests", limits.requests_per_minute),
                ("tokens", limits.tokens_per_minute),
                ("slots", limits.concurrency),
            ):
                names.append(self._name(scope, what))
                arguments.append(-1 if limit is None else limit)
        try:
            answer = await self._link.run(TAKE, names, arguments)
        except BaseException:
            # Cancelled after the script was sent: it may have taken the slot.
            _RedisHold(self, scopes, slot).release(0)
            raise
        if answer is None:
            local = await self._fallback.take(scopes)
            if isinstance(local, Denial):
                return local
            hold = _RedisHold(self, scopes, slot, local=local)
        elif answer[0] == b"denied":
            return _denial(answer, scopes)
        else:
            local = self._fallback.count(scopes)
            hold = _RedisHold(self, scopes, slot, local=local, levels=answer[1:])
        self._live.add(hold)
        self._keep_leases()
        return hold

    async def reserve(
        self, slot: str, scopes: Sequence[Scope], amounts: Sequence[tuple[int, int]]
    ) -> list[bytes] | None:
        names = [self._name(scope, what) for scope in scopes for what in ("tokens", "slots")]
        arguments: list[str | int] = [slot]
        for pair in amounts:
            arguments += pair
        return await self._link.run(RESERVE, names, arguments)

    def release(
        self, hold: _RedisHold, scopes: Sequence[Scope], arguments: list[str | int]
    ) -> None:
        self._live.discard(hold)
        names = [self._name(scope, what) for scope in scopes for what in ("tokens", "slots")]
        try:
            self._link.send(RELEASE, names, arguments)
        except RuntimeError:
            # No loop runs: the process is ending, and the leases will expire.
            return

    async def close(self) -> None:
        for task in (self._heartbeat, self._restoring):
            if task is not None:
                task.cancel()
        await self._link.close()

    def _name(self, scope: Scope, what: str) -> str:
        return f"{self._prefix}:{scope.kind}:{scope.id}:{what}"

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


def _denial(answer: list[bytes], scopes: Sequence[Scope]) -> Denial:
    limit = Limit(answer[2].decode())
    wait_s = float(answer[3])
    if limit is not Limit.REQUESTS:
        wait_s = max(wait_s, CONCURRENCY_RETRY_S)
    return Denial(limit, wait_s, scopes[int(answer[1]) - 1])
