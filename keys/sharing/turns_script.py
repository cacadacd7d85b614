"""The Lua script of `shared.py`: whose turn it is among all workers and hosts.

Each worker tells first what it gave in the last minute: a Redis that lost its data, or another one
at the same address, knows no worker. Then it tells how many requests of which keys wait with it.
The script gives what the last minute leaves to the keys that had the least so far; a turn that is
another worker's is left for it to fetch. A worker that says nothing for DEMAND_S is taken to be
dead.
"""

from typing import Final

from keys.sharing.lanes import CREDIT, WINDOW_S

DEMAND_S: Final = 2.0
KEPT_S: Final = int(2 * WINDOW_S)

# KEYS: the turns of the last minute, a sorted set by time; what waits at each worker, a hash; how
# much each key had, a hash of "virtual time" as in `line.py`, with its `.floor`: a key that comes
# begins there at least; and that this worker told what it gave.
# ARGV: the worker, the rate, "1" where upstream just said that the minute is full; then for each
# key that waits here its name, weight and count.
# Returns how many turns nobody waits for, milliseconds until it should ask again, and the names of
# the keys to serve; or "stranger" for a worker that has not told what it gave.
TURNS: Final = f"""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local given, waiting, had = KEYS[1], KEYS[2], KEYS[3]
local worker, rate = ARGV[1], tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[4]) == 0 then return 'stranger' end

if ARGV[3] == '1' and redis.call('EXISTS', given) == 0 then
  for number = 1, rate do
    local at = now - {WINDOW_S} + {WINDOW_S} * number / rate
    redis.call('ZADD', given, string.format('%.6f', at), 'full' .. number)
  end
end
redis.call('ZREMRANGEBYSCORE', given, '-inf', string.format('%.6f', now - {WINDOW_S}))
local room = rate - redis.call('ZCARD', given)

if #ARGV > 3 then
  local words = {{string.format('%.3f', now + {DEMAND_S})}}
  for place = 4, #ARGV do words[#words + 1] = ARGV[place] end
  redis.call('HSET', waiting, worker, table.concat(words, ' '))
else
  redis.call('HDEL', waiting, worker)
end

local keys, names = {{}}, {{}}
local all = redis.call('HGETALL', waiting)
for place = 1, #all, 2 do
  local words = {{}}
  for word in string.gmatch(all[place + 1], '%S+') do words[#words + 1] = word end
  if tonumber(words[1]) < now then
    redis.call('HDEL', waiting, all[place])
  else
    for at = 2, #words - 2, 3 do
      local name = words[at]
      local key = keys[name]
      if not key then
        key = {{weight = math.max(tonumber(words[at + 1]), 1), mine = 0, others = 0}}
        keys[name] = key
        names[#names + 1] = name
      end
      local count = tonumber(words[at + 2])
      if all[place] == worker then key.mine = key.mine + count
      else key.others = key.others + count end
    end
  end
end
table.sort(names)

local floor = tonumber(redis.call('HGET', had, '.floor') or '0')
local stored = redis.call('HGETALL', had)
for place = 1, #stored, 2 do
  local name, value = stored[place], tonumber(stored[place + 1])
  if keys[name] then keys[name].had = value
  elseif string.sub(name, 1, 1) ~= '.' and value <= floor then
    redis.call('HDEL', had, name)
  end
end
for _, name in ipairs(names) do
  local key = keys[name]
  key.had = math.max(key.had or floor, floor)
  key.planned = key.had
end

local served = {{}}
while room > 0 do
  local least
  for _, name in ipairs(names) do
    local key = keys[name]
    local waits = key.mine + key.others > 0
    if waits and (not least or key.planned < keys[least].planned) then least = name end
  end
  if not least then break end
  local key = keys[least]
  key.planned = key.planned + 1 / key.weight
  if key.mine > 0 then
    key.mine = key.mine - 1
    key.had = key.had + 1 / key.weight
    served[#served + 1] = least
    local count = redis.call('HINCRBY', had, '.count', 1)
    redis.call('ZADD', given, string.format('%.6f', now), worker .. ':' .. count)
  else
    key.others = key.others - 1
  end
  room = room - 1
end

local lowest
for _, name in ipairs(names) do
  local key = keys[name]
  redis.call('HSET', had, name, string.format('%.6f', key.had))
  if not lowest or key.had < lowest then lowest = key.had end
end
if lowest then
  floor = math.max(floor, lowest - rate * {CREDIT:.6f})
  redis.call('HSET', had, '.floor', string.format('%.6f', floor))
end
for _, name in ipairs(KEYS) do redis.call('EXPIRE', name, {KEPT_S}) end

local pause = 50
if room <= 0 then
  local oldest = redis.call('ZRANGE', given, 0, 0, 'WITHSCORES')
  if oldest[2] then pause = math.ceil((tonumber(oldest[2]) + {WINDOW_S} - now) * 1000) end
end
return math.max(room, 0) .. ' ' .. pause .. ' ' .. table.concat(served, ' ')
"""

# KEYS: the turns of the last minute, and that this worker told what it gave. ARGV: the worker, then
# how many seconds ago each of its own turns was: also what was given while Redis was away, or is
# gone with a Redis that came back empty.
RESTORE: Final = f"""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(member, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    redis.call('ZREM', KEYS[1], member)
  end
end
for place = 2, #ARGV do
  local at = string.format('%.6f', now - tonumber(ARGV[place]))
  redis.call('ZADD', KEYS[1], at, ARGV[1] .. ':r' .. place)
end
redis.call('EXPIRE', KEYS[1], {KEPT_S})
redis.call('SET', KEYS[2], '1', 'EX', {KEPT_S})
return 'ok'
"""
