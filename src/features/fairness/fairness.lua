--[[
  Start-time fair queueing in BullMQ's set of prioritized jobs. `prefix` is what all keys of the queue begin
  with.

  A score is a class, BullMQ's priority, and a round. A tenant's jobs stand 1 / weight rounds apart, none before the round that is
  served: that of the first waiting job of the class. A tenant is remembered while its next round is ahead of that.
]]
local encodings = require("../../core/bullmq/encodings")

-- BullMQ gives round 0 to jobs that a stopping worker releases: they do not show how far a class is served.
local FIRST_ROUND = 1
-- A class that is never empty reaches it after 4 billion rounds; from then on it is first come, first served.
local LAST_ROUND = encodings.PRIORITY_SCALE - 1
-- Besides the first job of a tenant, one in eight looks for the round served: the end of an id is random. So a tenant whose jobs have all
-- run may get a few rounds that have passed.
local LOOKS = "[08]$"

-- Returns which round is served, nil where no job of the class waits, and forgets whoever is not ahead of it. BullMQ puts retried
-- jobs, and delayed ones that are due, in the round after that in `pc`: in front.
local function lookAtRound(prefix, score, tenants)
  local first = redis.call("ZRANGEBYSCORE", prefix .. "prioritized", score + FIRST_ROUND, score + LAST_ROUND,
    "WITHSCORES", "LIMIT", 0, 1)[2]
  local served = first and first - score
  redis.call("ZREMRANGEBYSCORE", tenants, "-inf", served or "+inf")
  redis.call("SET", prefix .. "pc", math.floor(served or FIRST_ROUND))
  return served
end

-- Puts a job in line. `class` is its priority; `turn`: its tenant, and 1 / weight.
local function addFair(prefix, id, class, turn)
  local score, tenants = class * encodings.PRIORITY_SCALE, prefix .. "fair:" .. class
  local tenant, rounds = string.match(turn, "^(%S+) (%S+)$")
  local round = redis.call("ZINCRBY", tenants, rounds, tenant) - rounds
  if round < FIRST_ROUND or string.find(id, LOOKS) then
    local served = lookAtRound(prefix, score, tenants)
    if not served or round < served then
      round = served or FIRST_ROUND
      redis.call("ZADD", tenants, round + rounds, tenant)
    end
  end
  redis.call("ZADD", prefix .. "prioritized", score + math.min(round, LAST_ROUND), id)
end

return { addFair = addFair }
