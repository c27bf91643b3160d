"""The layout of features in Redis, and the scripts that write them: absolute, fenced, in one atomic step.

The stream, the bulk load of a base and a rebuild all write through these, so none can put an older state over a newer.
"""

from collections.abc import Mapping
from typing import Final

from features.store.job_status import Lane, lane_fields
from features.types import FOREVER, ItemId, Millis

# KEYS: the user's hash, seen set (hidden for good), sorted set of what is hidden for a time. ARGV: generation, n, broker ms,
# value, mode, items to show again …, "+", items to hide for good …, "@", until when, item, …  Mode "replace" empties both sets
# first (a whole state), "change" leaves them. A write whose (generation, n) is not newer than what is there changes nothing, but
# for a whole state of the same n: what is there may lack a change that a failover lost. Returns 1 where n is newer, else 0.
WRITE_USER: Final = """
local there = redis.call('HMGET', KEYS[1], 'g', 'n')
local g, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local is_newer = 1
if there[1] then
  local tg, tn = tonumber(there[1]), tonumber(there[2])
  if tg > g or (tg == g and (tn > n or (tn == n and ARGV[5] ~= 'replace'))) then return 0 end
  if tg == g and tn == n then is_newer = 0 end
  if tg < g and ARGV[5] ~= 'replace' then redis.call('DEL', KEYS[2], KEYS[3]) end
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'g', ARGV[1], 'n', ARGV[2], 'b', ARGV[3], 'v', ARGV[4],
  'a', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
if ARGV[5] == 'replace' then redis.call('DEL', KEYS[2], KEYS[3]) end
local at = 6
while ARGV[at] ~= '+' do
  redis.call('SREM', KEYS[2], ARGV[at])
  redis.call('ZREM', KEYS[3], ARGV[at])
  at = at + 1
end
at = at + 1
while ARGV[at] ~= '@' do
  redis.call('SADD', KEYS[2], ARGV[at])
  redis.call('ZREM', KEYS[3], ARGV[at])
  at = at + 1
end
for each = at + 1, #ARGV, 2 do
  redis.call('ZADD', KEYS[3], ARGV[each], ARGV[each + 1])
  redis.call('SREM', KEYS[2], ARGV[each + 1])
end
redis.call('PUBLISH', string.sub(KEYS[1], 2, -2), ARGV[2])
return is_newer
"""

# KEYS: the hash of an item, or of its pairs. ARGV: generation, n, broker ms, value. Returns 1 where n is newer, else 0.
WRITE_ITEM: Final = """
local there = redis.call('HMGET', KEYS[1], 'g', 'n')
local g, n = tonumber(ARGV[1]), tonumber(ARGV[2])
if there[1] then
  local tg, tn = tonumber(there[1]), tonumber(there[2])
  if tg > g or (tg == g and tn >= n) then return 0 end
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'g', ARGV[1], 'n', ARGV[2], 'b', ARGV[3], 'v', ARGV[4],
  'a', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
return 1
"""

# KEYS: a lane's hash. ARGV: generation, records folded, then field, value, … (see features.store.job_status).
WRITE_LANE: Final = """
local there = redis.call('HMGET', KEYS[1], 'g', 'read', 'served_read')
local g, n = tonumber(ARGV[1]), tonumber(ARGV[2])
if there[1] then
  local tg, tn = tonumber(there[1]), tonumber(there[2] or '0') + tonumber(there[3] or '0')
  if tg > g or (tg == g and tn > n) then return 0 end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return 1
"""

# KEYS: the clock. ARGV: how far the data's time is ahead of wall time, ms. Keeps the larger.
ADVANCE_CLOCK: Final = """
local there = redis.call('GET', KEYS[1])
if not there or tonumber(ARGV[1]) > tonumber(there) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""

REPLACE, CHANGE = "replace", "change"


def user_arguments(
    generation: int, n: int, broker_ts: int, value: bytes, mode: str, hidden: Mapping[ItemId, Millis]
) -> list[bytes | str | int]:
    """ARGV of WRITE_USER. hidden: item → the time until which it is hidden; 0: it is shown again."""
    shown = [item for item, until in hidden.items() if not until]
    for_good = [item for item, until in hidden.items() if until == FOREVER]
    for_a_time = [part for item, until in hidden.items() if 0 < until < FOREVER for part in (until, item)]
    return [generation, n, broker_ts, value, mode, *shown, "+", *for_good, "@", *for_a_time]


def item_arguments(generation: int, n: int, broker_ts: int, value: bytes) -> list[bytes | str | int]:
    """ARGV of WRITE_ITEM."""
    return [generation, n, broker_ts, value]


def lane_arguments(lane: Lane) -> list[bytes | str | int]:
    """ARGV of WRITE_LANE."""
    arguments: list[bytes | str | int] = [lane.generation, lane.read + lane.served_read]
    for name, value in lane_fields(lane).items():
        arguments += (name, value)
    return arguments
