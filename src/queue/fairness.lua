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

-- Which round of a class is served. BullMQ puts retried jobs, and delayed ones that are due, in the round after that in `pc`: in front.
local function openLine(prefix, score, tenants)
  local first = redis.call("ZRANGEBYSCORE", prefix .. "prioritized", score + FIRST_ROUND, score + LAST_ROUND,
    "WITHSCORES", "LIMIT", 0, 1)[2]
  local served = first and first - score or FIRST_ROUND
  redis.call("ZREMRANGEBYSCORE", tenants, "-inf", first and served or "+inf")
  redis.call("SET", prefix .. "pc", math.floor(served))
  return served
end

-- Puts jobs of one class in line, each in its tenant's turn. `turns`: for each job its tenant and 1 / weight.
local function addFair(prefix, class, ids, turns)
  local score, tenants = class * PRIORITY_SCALE, prefix .. "fair:" .. class
  local served = openLine(prefix, score, tenants)
  local names, steps = {}, {}
  for at, turn in ipairs(turns) do
    names[at], steps[at] = string.match(turn, "^(%S+) (%S+)$")
  end
  local jobs, ahead, nexts = {}, {}, {}
  local stored = redis.call("ZMSCORE", tenants, unpack(names))
  for at, tenant in ipairs(names) do
    local round = math.min(math.max(served, nexts[tenant] or tonumber(stored[at] or 0)), LAST_ROUND)
    nexts[tenant] = round + steps[at]
    jobs[2 * at - 1], jobs[2 * at] = score + round, ids[at]
    ahead[2 * at - 1], ahead[2 * at] = nexts[tenant], tenant
  end
  redis.call("ZADD", tenants, unpack(ahead))
  redis.call("ZADD", prefix .. "prioritized", unpack(jobs))
end
