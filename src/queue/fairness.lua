--[[
  Start-time fair queueing in BullMQ's set of prioritized jobs. Included by other scripts. `prefix` is what all keys of the queue begin
  with. Needs encodings.lua.

  A score is a class, BullMQ's priority, and a round. A tenant's jobs stand 1 / weight rounds apart, none before the round that is
  served now: that of the first waiting job of its class. A tenant is remembered while its next round is ahead of that.
]]
-- BullMQ gives round 0 to jobs that a stopping worker releases: they do not show how far a class is served.
local FIRST_ROUND = 1
-- A class that is never empty reaches it after 4 billion rounds; from then on it is first come, first served.
local LAST_ROUND = PRIORITY_SCALE - 1

-- By class. Adding jobs does not change the round that is served.
local lines = {}

-- BullMQ puts retried jobs, and delayed ones that are due, in the round after that in `pc`: in front.
local function openLine(prefix, class)
  local score = class * PRIORITY_SCALE
  local tenants = prefix .. "fair:" .. class
  local first = redis.call("ZRANGEBYSCORE", prefix .. "prioritized", score + FIRST_ROUND, score + LAST_ROUND,
    "WITHSCORES", "LIMIT", 0, 1)[2]
  local served = first and first - score or FIRST_ROUND
  redis.call("ZREMRANGEBYSCORE", tenants, "-inf", first and served or "+inf")
  redis.call("SET", prefix .. "pc", math.floor(served))
  return { score = score, served = served, tenants = tenants }
end

-- `turn`: the tenant, and 1 / weight.
local function addFair(prefix, id, class, turn)
  lines[class] = lines[class] or openLine(prefix, class)
  local line = lines[class]
  local tenant, rounds = string.match(turn, "^(%S+) (%S+)$")
  local next = tonumber(redis.call("ZSCORE", line.tenants, tenant) or 0)
  local round = math.min(math.max(line.served, next), LAST_ROUND)
  redis.call("ZADD", line.tenants, round + rounds, tenant)
  redis.call("ZADD", prefix .. "prioritized", line.score + round, id)
end
