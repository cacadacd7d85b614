"""The same counts as `counters.py`, in Redis: one truth for every worker and host.

A request is one script, so that look and take are one step for key and owner together, and the
time is Redis's own. A slot is a lease that its process keeps alive: what a crash left is free after
LEASE_S.

Each request is counted in the process's own memory too. While Redis is away that count decides,
which the log says once; when Redis is back, perhaps empty, it is told what runs.

The keys of one script lie in different slots of a Redis Cluster, so this takes a single server
(or one with replicas).
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.exceptions import RedisError

from keys.counters import (
    CONCURRENCY_RETRY_S,
    WINDOW_S,
    Denial,
    Hold,
    Level,
    Limit,
    MemoryCounters,
    MemoryHold,
    capped,
    tightest,
)
from keys.limits import Scope
from keys.redis_scripts import ScriptLine

logger = logging.getLogger(__name__)

PREFIX: Final = "wai:limits"
# What is counted within one bucket leaves together, at the end of the bucket and 60 seconds later.
BUCKET_S: Final = 0.5
LEASE_S: Final = 60.0
HEARTBEAT_S: Final = 5.0
# Redis answers within a millisecond or it is not there: no request waits for longer than this.
TIMEOUT_S: Final = 1.0
TRY_AGAIN_S: Final = 2.0

# Common to the scripts. For each scope three keys. Requests and used tokens are hashes: amounts by
# the number of their bucket, and beside them `sum`, which is theirs, `newest`, the last bucket that
# something came into, and `gone`, the last that is no longer in the sum. Slots are a sorted set by
# end of lease, of slot ids with the tokens that they hold ("id|tokens").
_LUA_COMMON: Final = f"""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local window, bucket, lease = {WINDOW_S}, {BUCKET_S}, {LEASE_S}

-- The last bucket that has left by now.
local left = math.floor((now - window) / bucket) - 1

local function whole(number)
  return string.format('%d', number)
end

local function leaves_in(number)
  return (number + 1) * bucket + window - now
end

local function sum(key)
  -- What was added in the last minute, and how long until all of it has left.
  local total, newest, gone = unpack(redis.call('HMGET', key, 'sum', 'newest', 'gone'))
  if not total then return 0, 0 end
  total, newest, gone = tonumber(total), tonumber(newest), tonumber(gone)
  if newest <= left then
    redis.call('DEL', key)
    return 0, 0
  end
  if gone ~= left then
    for number = gone + 1, left do
      local amount = redis.call('HGET', key, whole(number))
      if amount then
        total = total - tonumber(amount)
        redis.call('HDEL', key, whole(number))
      end
    end
    redis.call('HSET', key, 'sum', whole(total), 'gone', whole(left))
  end
  return total, leaves_in(newest)
end

local function add(key, amount)
  local number = math.floor(now / bucket)
  if redis.call('HINCRBY', key, whole(number), amount) == tonumber(amount) then
    redis.call('HSETNX', key, 'gone', whole(left))
    redis.call('HSET', key, 'newest', whole(number))
    redis.call('EXPIRE', key, 65)
  end
  redis.call('HINCRBY', key, 'sum', amount)
end

local function wait_for(key, amount)
  -- How long until `amount` of the sum has left.
  local found, kept = redis.call('HGETALL', key), {{}}
  for i = 1, #found, 2 do
    local number = tonumber(found[i])
    if number then kept[#kept + 1] = {{leaves_in(number), tonumber(found[i + 1])}} end
  end
  table.sort(kept, function(a, b) return a[1] < b[1] end)
  local counted, wait = 0, 0
  for _, each in ipairs(kept) do
    counted, wait = counted + each[2], each[1]
    if counted >= amount then break end
  end
  return wait
end

local function slots(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local members = redis.call('ZRANGE', key, 0, -1)
  local reserved = 0
  for _, member in ipairs(members) do
    reserved = reserved + tonumber(string.match(member, '|(%d+)$'))
  end
  return #members, reserved
end

local function told(answer)
  -- One line, which is read in one step, where a list would take one for each of its parts.
  return redis.status_reply(table.concat(answer, ' '))
end

local function hold(key, slot, tokens)
  redis.call('ZADD', key, now + lease, slot .. '|' .. whole(tokens))
  redis.call('EXPIRE', key, 3600)
end
"""

# ARGV: slot, then for each scope requests, tokens, concurrency (-1: no limit).
# Answers 'denied', number of the scope, limit, wait; or 'taken', then four numbers for each scope.
_LUA_TAKE: Final = (
    _LUA_COMMON
    + """
local answer = {'taken'}
for i = 1, #KEYS / 3 do
  local rkey, tkey, skey = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local rpm, tpm = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local concurrency = tonumber(ARGV[3 * i + 1])
  local requests, requests_last = sum(rkey)
  local used, tokens_last = sum(tkey)
  local running, reserved = slots(skey)
  if rpm >= 0 and requests + 1 > rpm then
    local wait = wait_for(rkey, requests + 1 - rpm)
    return told({'denied', whole(i), 'requests', tostring(wait)})
  end
  if tpm >= 0 and used + reserved + 1 > tpm then
    local wait = used > 0 and wait_for(tkey, math.min(used + reserved + 1 - tpm, used)) or 0
    return told({'denied', whole(i), 'tokens', tostring(wait)})
  end
  if concurrency >= 0 and running >= concurrency then
    return told({'denied', whole(i), 'concurrency', '0'})
  end
  answer[#answer + 1] = whole(requests + 1)
  answer[#answer + 1] = tostring(math.max(requests_last, window))
  answer[#answer + 1] = whole(used + reserved)
  answer[#answer + 1] = tostring(reserved > 0 and window or tokens_last)
end
for i = 1, #KEYS / 3 do
  add(KEYS[3 * i - 2], 1)
  hold(KEYS[3 * i], ARGV[1], 0)
end
return told(answer)
"""
)

# KEYS: tokens and slots of each scope. ARGV: slot, then for each scope its amount and its limit.
_LUA_RESERVE: Final = (
    _LUA_COMMON
    + """
local answer = {'taken'}
for i = 1, #KEYS / 2 do
  local used = sum(KEYS[2 * i - 1])
  local _, reserved = slots(KEYS[2 * i])
  local amount, limit = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local excess = used + reserved + amount - limit
  if excess > 0 then
    local wait = used > 0 and wait_for(KEYS[2 * i - 1], math.min(excess, used)) or 0
    return told({'denied', whole(i), 'tokens', tostring(wait)})
  end
  answer[#answer + 1] = whole(used + reserved + amount)
end
for i = 1, #KEYS / 2 do
  redis.call('ZREM', KEYS[2 * i], ARGV[1] .. '|0')
  hold(KEYS[2 * i], ARGV[1], tonumber(ARGV[2 * i]))
end
return told(answer)
"""
)

# KEYS: tokens and slots of each scope. ARGV: used tokens, slot, then for each scope the amount that
# was asked for, which a request that left meanwhile may hold or not.
_LUA_RELEASE: Final = (
    _LUA_COMMON
    + """
for i = 1, #KEYS / 2 do
  redis.call('ZREM', KEYS[2 * i], ARGV[2] .. '|0', ARGV[2] .. '|' .. ARGV[i + 2])
  if tonumber(ARGV[1]) > 0 then
    add(KEYS[2 * i - 1], ARGV[1])
  end
end
"""
)

# KEYS: slots. ARGV: XX for those that are still there, so that one that was released stays away, or
# CH for all, which may have reserved tokens while Redis was away, then members.
_LUA_HEARTBEAT: Final = (
    _LUA_COMMON
    + """
for i = 1, #KEYS do
  local slot, tokens = string.match(ARGV[i + 1], '^(.*)|(%d+)$')
  if ARGV[1] == 'CH' and tokens ~= '0' then
    redis.call('ZREM', KEYS[i], slot .. '|0')
  end
  redis.call('ZADD', KEYS[i], ARGV[1], now + lease, ARGV[i + 1])
  redis.call('EXPIRE', KEYS[i], 3600)
end
"""
)

_SCRIPTS: Final = (_LUA_TAKE, _LUA_RESERVE, _LUA_RELEASE, _LUA_HEARTBEAT)


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
        """`local` is what it holds in the process's memory, `levels` what Redis said."""
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
        # Noted before the script runs: a release that overtakes its answer removes what it set.
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
    """Use it from one event loop. `fallback` counts while Redis is away."""

    def __init__(
        self,
        url: str,
        *,
        fallback: MemoryCounters | None = None,
        prefix: str = PREFIX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._fallback = MemoryCounters() if fallback is None else fallback
        self._prefix = prefix
        self._clock = clock
        self._line: ScriptLine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connects_seen = 0
        self._away_since: float | None = None
        self._try_at = 0.0
        self._live: set[_RedisHold] = set()
        self._heartbeat: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None

    def health(self) -> str:
        if self._away_since is None:
            return ""
        away_s = self._clock() - self._away_since
        return f"Redis does not answer since {away_s:.0f} s; each worker counts limits by itself"

    async def take(self, scopes: Sequence[Scope]) -> Hold | Denial:
        # No secret, so no system call: that would hand the interpreter to the ledger's thread.
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
            answer = await self._run(_LUA_TAKE, names, arguments)
        except BaseException:
            # Cancelled with the script on its way: it may have taken the slot.
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
        return await self._run(_LUA_RESERVE, names, arguments)

    def release(
        self, hold: _RedisHold, scopes: Sequence[Scope], arguments: list[str | int]
    ) -> None:
        self._live.discard(hold)
        names = [self._name(scope, what) for scope in scopes for what in ("tokens", "slots")]
        try:
            self._send(_LUA_RELEASE, names, arguments)
        except RuntimeError:
            # No loop runs: the process ends, and the leases do the rest.
            return

    async def close(self) -> None:
        for task in (self._heartbeat, self._restoring):
            if task is not None:
                task.cancel()
        if self._line is not None:
            await self._line.close()

    def _name(self, scope: Scope, what: str) -> str:
        return f"{self._prefix}:{scope.kind}:{scope.id}:{what}"

    # --- Redis, there or away -----------------------------------------------------------------

    async def _run(
        self, script: str, names: list[str], arguments: list[str | int]
    ) -> list[bytes] | None:
        """The words of the script's answer; None while Redis is away."""
        answer = self._send(script, names, arguments)
        if answer is None:
            return None
        try:
            found = await answer
        except (RedisError, OSError, TimeoutError) as error:
            self._note_away(error)
            return None
        self._note_back()
        if self._line is not None and self._line.connects != self._connects_seen:
            self._connects_seen = self._line.connects
            restoring = self._tell_what_runs("CH")
            self._restoring = asyncio.get_running_loop().create_task(restoring)
        return [] if found is None else found.split()

    def _send(
        self, script: str, names: list[str], arguments: list[str | int]
    ) -> "asyncio.Future[Any] | None":
        loop = asyncio.get_running_loop()
        if self._line is None or self._loop is not loop:
            self._loop, self._connects_seen = loop, 0
            self._line = ScriptLine(self._url, _SCRIPTS, timeout_s=TIMEOUT_S)
        if self._away_since is not None:
            now = self._clock()
            if now < self._try_at:
                return None
            # This request tries; those beside it do not wait for the outcome.
            self._try_at = now + TRY_AGAIN_S
        return self._line.run(script, names, arguments)

    def _note_away(self, error: Exception) -> None:
        now = self._clock()
        self._try_at = now + TRY_AGAIN_S
        if self._away_since is None:
            self._away_since = now
            # Its type alone: the text may hold the URL, and that a password.
            logger.error(
                "Redis does not answer (%s): until it is back each worker counts limits by itself.",
                type(error).__name__,
            )

    def _note_back(self) -> None:
        if self._away_since is not None:
            away_s = self._clock() - self._away_since
            self._away_since = None
            logger.warning("Redis answers again after %.1f s; limits are shared again.", away_s)

    def _keep_leases(self) -> None:
        if self._heartbeat is None or self._heartbeat.done():
            self._heartbeat = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        """Runs while something is held."""
        while self._live:
            await asyncio.sleep(HEARTBEAT_S)
            await self.renew_leases()

    async def renew_leases(self) -> None:
        await self._tell_what_runs("XX")

    async def _tell_what_runs(self, which: str) -> None:
        live = list(self._live)
        for start in range(0, len(live), 250):
            # What was released since must not come back.
            batch = [hold for hold in live[start : start + 250] if hold in self._live]
            held = [member for hold in batch for member in hold.members]
            names = [self._name(scope, "slots") for scope, _ in held]
            await self._run(_LUA_HEARTBEAT, names, [which, *(member for _, member in held)])


def _denial(answer: list[bytes], scopes: Sequence[Scope]) -> Denial:
    limit = Limit(answer[2].decode())
    wait_s = float(answer[3])
    if limit is not Limit.REQUESTS:
        wait_s = max(wait_s, CONCURRENCY_RETRY_S)
    return Denial(limit, wait_s, scopes[int(answer[1]) - 1])
