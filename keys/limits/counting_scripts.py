"""The Lua scripts of `redis_counters.py`: take, give back, release, renew leases, tell.

Redis executes a script atomically. A script checks all scopes of a request before it changes any.
"""

from typing import Final

from keys.limits.counters import WINDOW_S

# The amounts of one bucket stop counting together, 60 seconds after the last of them: so nobody has
# to wait for more than a minute.
BUCKET_S: Final = 0.5
LEASE_S: Final = 60.0

# Common to the scripts. Each scope has three keys. Requests and used tokens are hashes: the amount
# of each bucket by its number, and the time of its last one by `t` and its number; `sum`, the sum
# of the buckets that count; `newest`, the last bucket with an amount; `gone`, the last bucket that
# has left the sum. A bucket without a time, as releases up to 0.2.0 leave it, counts until 60
# seconds after its end. Slots are a sorted set: the score is the end of the lease, the member a
# slot id with its reserved tokens ("id|tokens").
_COMMON: Final = f"""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local window, bucket, lease = {WINDOW_S}, {BUCKET_S}, {LEASE_S}

-- The last bucket that cannot count any longer; the one after it counts for a part of its time.
local left = math.floor((now - window) / bucket) - 1

local function whole(number)
  return string.format('%d', number)
end

local function leaves_in(number, last)
  -- At most the window, also after the rounding of a difference, and where the clock was set back.
  return math.min((tonumber(last) or (number + 1) * bucket) + window - now, window)
end

local function sum(key)
  -- What was added in the last minute, and the last bucket of it.
  local total, newest, gone = unpack(redis.call('HMGET', key, 'sum', 'newest', 'gone'))
  if not total then return 0 end
  total, newest, gone = tonumber(total), tonumber(newest), tonumber(gone)
  local known = gone
  if newest > left then
    for number = gone + 1, left + 1 do
      local amount, last = unpack(redis.call('HMGET', key, whole(number), 't' .. whole(number)))
      if amount then
        if number > left and leaves_in(number, last) > 0 then break end
        total = total - tonumber(amount)
        redis.call('HDEL', key, whole(number), 't' .. whole(number))
      end
      gone = number
    end
  end
  if newest <= math.max(gone, left) then
    redis.call('DEL', key)
    return 0
  end
  if gone ~= known then
    redis.call('HSET', key, 'sum', whole(total), 'gone', whole(gone))
  end
  return total, newest
end

local function none_left_in(key, newest)
  -- How long until nothing counts of what `sum` found.
  return newest and leaves_in(newest, redis.call('HGET', key, 't' .. whole(newest))) or 0
end

local function add(key, amount)
  local number = math.floor(now / bucket)
  if redis.call('HINCRBY', key, whole(number), amount) == tonumber(amount) then
    redis.call('HSETNX', key, 'gone', whole(left))
    redis.call('HSET', key, 'newest', whole(number))
    redis.call('EXPIRE', key, 65)
  end
  redis.call('HSET', key, 't' .. whole(number), string.format('%.6f', now))
  redis.call('HINCRBY', key, 'sum', amount)
end

local function wait_for(key, amount)
  -- How long until `amount` of the sum no longer counts.
  local found, amounts, lasts, kept = redis.call('HGETALL', key), {{}}, {{}}, {{}}
  for i = 1, #found, 2 do
    local number = tonumber(found[i])
    if number then
      amounts[number] = tonumber(found[i + 1])
    elseif string.sub(found[i], 1, 1) == 't' then
      lasts[tonumber(string.sub(found[i], 2))] = found[i + 1]
    end
  end
  for number, counted in pairs(amounts) do
    kept[#kept + 1] = {{leaves_in(number, lasts[number]), counted}}
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
  -- A status reply of one line is read in one step; a list would need one for each element.
  return redis.status_reply(table.concat(answer, ' '))
end

local function hold(key, slot, tokens)
  redis.call('ZADD', key, now + lease, slot .. '|' .. whole(tokens))
  redis.call('EXPIRE', key, 3600)
end
"""

# Checks all scopes of a request, then takes. KEYS: requests, tokens and slots of each scope. ARGV:
# slot, then for each scope whether it is held already (1: only tokens are asked for), the limits of
# requests, tokens and concurrency (-1: no limit), and the tokens to reserve.
# Answers 'denied', number of the scope, limit, wait; or 'taken', the bucket in which the request is
# counted, then four numbers for each scope.
TAKE: Final = (
    _COMMON
    + """
local answer = {'taken', whole(math.floor(now / bucket))}
for i = 1, #KEYS / 3 do
  local rkey, tkey, skey = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local is_held = ARGV[5 * i - 3] == '1'
  local rpm, tpm = tonumber(ARGV[5 * i - 2]), tonumber(ARGV[5 * i - 1])
  local concurrency, amount = tonumber(ARGV[5 * i]), tonumber(ARGV[5 * i + 1])
  local requests = is_held and 0 or sum(rkey)
  local used, newest = sum(tkey)
  local running, reserved = slots(skey)
  if not is_held and rpm >= 0 and requests + 1 > rpm then
    local wait = wait_for(rkey, requests + 1 - rpm)
    return told({'denied', whole(i), 'requests', tostring(wait)})
  end
  -- At least one token: nothing is admitted where none is left.
  local excess = used + reserved + (is_held and amount or math.max(amount, 1)) - tpm
  if tpm >= 0 and excess > 0 then
    local wait = used > 0 and wait_for(tkey, math.min(excess, used)) or 0
    return told({'denied', whole(i), 'tokens', tostring(wait)})
  end
  if not is_held and concurrency >= 0 and running >= concurrency then
    return told({'denied', whole(i), 'concurrency', '0'})
  end
  reserved = reserved + amount
  answer[#answer + 1] = whole(requests + 1)
  answer[#answer + 1] = tostring(window)
  answer[#answer + 1] = whole(used + reserved)
  answer[#answer + 1] = tostring(reserved > 0 and window or none_left_in(tkey, newest))
end
for i = 1, #KEYS / 3 do
  if ARGV[5 * i - 3] == '1' then
    redis.call('ZREM', KEYS[3 * i], ARGV[1] .. '|0')
  else
    add(KEYS[3 * i - 2], 1)
  end
  hold(KEYS[3 * i], ARGV[1], tonumber(ARGV[5 * i + 1]))
end
return told(answer)
"""
)

# KEYS: requests and slots of each scope. ARGV: slot, then for each scope the bucket in which the
# request was counted, and the amount to reserve, which is not certain to be reserved.
GIVE_BACK: Final = (
    _COMMON
    + """
for i = 1, #KEYS / 2 do
  local rkey, number = KEYS[2 * i - 1], ARGV[2 * i]
  redis.call('ZREM', KEYS[2 * i], ARGV[1] .. '|0', ARGV[1] .. '|' .. ARGV[2 * i + 1])
  -- What no longer counts is not in the sum either.
  if tonumber(redis.call('HGET', rkey, number) or 0) > 0 then
    redis.call('HINCRBY', rkey, number, -1)
    redis.call('HINCRBY', rkey, 'sum', -1)
  end
end
"""
)

# KEYS: tokens and slots of each scope. ARGV: used tokens, slot, then for each scope the amount to
# reserve, which is not certain to be reserved if the request was cancelled meanwhile.
RELEASE: Final = (
    _COMMON
    + """
for i = 1, #KEYS / 2 do
  redis.call('ZREM', KEYS[2 * i], ARGV[2] .. '|0', ARGV[2] .. '|' .. ARGV[i + 2])
  if tonumber(ARGV[1]) > 0 then
    add(KEYS[2 * i - 1], ARGV[1])
  end
end
"""
)

# KEYS: slots. ARGV: XX to renew existing members only, so that a released one is not added again;
# or CH to add all, which may have reserved tokens while Redis was unreachable. Then the members.
HEARTBEAT: Final = (
    _COMMON
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

# KEYS: requests, tokens and slots of each scope. Answers five numbers for each: requests, seconds
# until none of them counts, tokens with those that are reserved, seconds, requests that run.
COUNTED: Final = (
    _COMMON
    + """
local answer = {}
for i = 1, #KEYS / 3 do
  local rkey, tkey = KEYS[3 * i - 2], KEYS[3 * i - 1]
  local requests, last = sum(rkey)
  local used, newest = sum(tkey)
  local running, reserved = slots(KEYS[3 * i])
  answer[#answer + 1] = whole(requests)
  answer[#answer + 1] = tostring(none_left_in(rkey, last))
  answer[#answer + 1] = whole(used + reserved)
  answer[#answer + 1] = tostring(reserved > 0 and window or none_left_in(tkey, newest))
  answer[#answer + 1] = whole(running)
end
return told(answer)
"""
)
