--[[
  Deletes ended jobs of types that are kept shorter than the queue's. BullMQ's own retention knows no types: it would trim the
  others', too. So each such type has an index of its ended jobs in one state, scored by their end. First adds to it what has ended
  since the last call, then deletes what is too old, or too many. Atomic: a job that is retried at the same moment is kept. Any number of
  workers may run it at once. Jobs in doubt leave the index only: they are kept as long as any job.
]]
local call = command({
  keys = {
    -- Jobs that ended in this state.
    "ended",
    "joined",
  },
  arguments = {
    "prefix",
    "ledgerPrefix",
    -- "completed" or "failed".
    "state",
    -- JSON: [{ type, ageMs, count }, …], where age or count can be absent.
    "rules",
    -- How many jobs to look at, of each kind.
    "most",
  },
  returns = [[how many it deleted, and whether there is more to do at once (1 or 0)]],
  whenFull = "runs",
})
local facts = require("../../core/bullmq/job-facts")
local deletion = require("../../core/life/delete-ended")
local clock = require("../../platform/redis/now")
local endings = require("../ended-since")

-- Without any worker for this long, all indexes are made anew.
local KEPT_MS = 604800000
local prefix, ledgerStart, state, most = call.prefix, call.ledgerPrefix, call.state, tonumber(call.most)
local rules, now, isMore = cjson.decode(call.rules), clock.nowMs(), false
local progress = prefix .. "kept:" .. state

local function indexOf(type)
  return progress .. ":" .. type
end

local isKept, types = {}, {}
for at, rule in ipairs(rules) do isKept[rule.type], types[at] = true, rule.type end
local names = table.concat(types, " ")

-- A type that is new among them has older jobs.
local function indexedUntil()
  local known, score = unpack(redis.call("HMGET", progress, "types", "score"))
  return known == names and score or "-inf"
end

local function addEnded()
  local found, hasMore = endings.endedSince(call.ended, indexedUntil(), now, most)
  isMore = isMore or hasMore
  for at = 1, #found, 2 do
    local name = facts.jobType(prefix, found[at])
    if name and isKept[name] then redis.call("ZADD", indexOf(name), found[at + 1], found[at]) end
  end
  if #found > 0 then redis.call("HSET", progress, "types", names, "score", found[#found]) end
end

-- The oldest that must go, with their scores.
local function surplus(index, rule)
  if rule.count then
    local excess = math.min(redis.call("ZCARD", index) - rule.count, most)
    if excess > 0 then return redis.call("ZRANGE", index, 0, excess - 1, "WITHSCORES") end
  end
  if not rule.ageMs then return {} end
  return redis.call("ZRANGEBYSCORE", index, "-inf", now - rule.ageMs, "WITHSCORES", "LIMIT", 0, most)
end

local function trim(rule)
  local index, deleted = indexOf(rule.type), 0
  local found = surplus(index, rule)
  isMore = isMore or #found == 2 * most
  for at = 1, #found, 2 do
    redis.call("ZREM", index, found[at])
    -- Retried, it ends anew.
    local isSame = redis.call("ZSCORE", call.ended, found[at]) == found[at + 1]
    if isSame and deletion.deleteEnded(prefix, found[at], state, ledgerStart, call.joined) then deleted = deleted + 1 end
  end
  redis.call("PEXPIRE", index, KEPT_MS)
  return deleted
end

addEnded()
local deleted = 0
redis.call("PEXPIRE", progress, KEPT_MS)
for _, rule in ipairs(rules) do deleted = deleted + trim(rule) end
return { deleted, isMore and 1 or 0 }
