--[[
  Brings the sums of what ended jobs take up to date. BullMQ ends jobs, and removes the oldest of too many, without a word to us. So each call
  adds what has ended since the last, takes out what is older than the oldest job that is left, and looks whether some others, at random, are
  still there. Atomic: a sum and its jobs always agree, whichever process dies. One worker at a time does that, so that many cost no more;
  the others read, and one of them goes on soon after it has died.
]]
local call = command({
  keys = {
    -- Jobs that have completed.
    "completed",
    -- Jobs that have failed.
    "failed",
  },
  arguments = {
    "prefix",
    -- How many jobs to look at, of each state.
    "most",
    -- Unique to the worker.
    "worker",
  },
  returns = [[whether there is more to do at once, whether this worker does it (1 or 0), and shares.lua's shares]],
  whenFull = "runs",
})
local clock = require("../../platform/redis/now")
local endings = require("../ended-since")
local sizes = require("./job-bytes")
local budgets = require("./budget")
local shares = require("./shares")

-- Each takes prefix and id, and returns of how many of a feature's sets a job is a member.
local memberships = require("point:members")

-- Without any worker for this long, all is counted anew.
local KEPT_MS = 604800000
-- Longer than between two looks of a worker.
local LEASE_MS = 2500
-- Where more than one in twenty is gone, it looks again at once.
local SAMPLE = 20
local prefix, most, now, isMore = call.prefix, tonumber(call.most), clock.nowMs(), false
local sums, added = budgets.sumsOf(prefix), {}

local function setOf(name)
  return shares.stateOf(name) == "completed" and call.completed or call.failed
end

local function addBytes(name, bytes) added[name] = (added[name] or 0) + bytes end

-- What a member of a set takes, in bytes.
local function memberBytes(set)
  return (redis.call("MEMORY", "USAGE", set) or 0) / math.max(1, redis.call("ZCARD", set))
end

local function count(state, id, endedAt, perMember)
  local type = redis.call("HGET", prefix .. id, "name")
  if not type then return end
  -- Of BullMQ's set and of the one in which it is counted.
  local name, members = state .. ":" .. type, 2
  for _, membersOf in ipairs(memberships) do members = members + membersOf(prefix, id) end
  local score = budgets.scoreOf(endedAt, sizes.jobBytes(prefix, id) + members * perMember)
  -- It has ended before, and another tool has retried it.
  budgets.uncount(prefix, name, id)
  redis.call("ZADD", budgets.countedJobs(prefix, name), score, id)
  addBytes(name, budgets.bytesIn(score))
end

local function countedUntil(state)
  local score = redis.call("HGET", sums, state)
  -- Redis's clock was set back, or another server is the master now.
  return score and tonumber(score) <= now and score or "-inf"
end

local function addEnded(state, set)
  local found, hasMore = endings.endedSince(set, countedUntil(state), now, most)
  if #found == 0 then return end
  local perMember = memberBytes(set)
  for at = 1, #found, 2 do count(state, found[at], found[at + 1], perMember) end
  redis.call("HSET", sums, state, found[#found])
  isMore = isMore or hasMore
end

-- Takes out of a sum what is gone of these jobs, each followed by its score. Returns how many.
local function takeOutGone(name, set, found)
  local gone, bytes = {}, 0
  for at = 1, #found, 2 do
    if not redis.call("ZSCORE", set, found[at]) then
      gone[#gone + 1], bytes = found[at], bytes + budgets.bytesIn(found[at + 1])
    end
  end
  if #gone > 0 then
    redis.call("ZREM", budgets.countedJobs(prefix, name), unpack(gone))
    addBytes(name, -bytes)
  end
  return #gone
end

-- BullMQ removes the oldest.
local function takeOutOldest(name, set)
  local oldest = redis.call("ZRANGE", set, 0, 0, "WITHSCORES")[2]
  local before = oldest and "(" .. budgets.scoreOf(oldest, 0) or "+inf"
  local found = redis.call("ZRANGEBYSCORE", budgets.countedJobs(prefix, name), "-inf", before, "WITHSCORES", "LIMIT", 0, most)
  if takeOutGone(name, set, found) == most then isMore = true end
end

-- Other tools remove any. Each call looks at one sum.
local function takeOutSome(names)
  if #names == 0 then return end
  local name = names[2 * (redis.call("TIME")[2] % (#names / 2)) + 1]
  local found = redis.call("ZRANDMEMBER", budgets.countedJobs(prefix, name), SAMPLE, "WITHSCORES")
  if takeOutGone(name, setOf(name), found) * 20 > #found / 2 then isMore = true end
end

local function bringUpToDate()
  addEnded("completed", call.completed)
  addEnded("failed", call.failed)
  local names = shares.readSums(prefix)
  for at = 1, #names, 2 do takeOutOldest(names[at], setOf(names[at])) end
  takeOutSome(names)
  for name, bytes in pairs(added) do redis.call("HINCRBY", sums, name, bytes) end
  -- All at the same moment: a sum never outlives its jobs.
  names = shares.readSums(prefix)
  for at = 1, #names, 2 do redis.call("PEXPIRE", budgets.countedJobs(prefix, names[at]), KEPT_MS) end
  redis.call("HSET", sums, "by", call.worker, "lookedAt", now)
  redis.call("PEXPIRE", sums, KEPT_MS)
end

local by, lookedAt = unpack(redis.call("HMGET", sums, "by", "lookedAt"))
local isMine = by == call.worker or math.abs(now - (tonumber(lookedAt) or 0)) > LEASE_MS
if isMine then bringUpToDate() end
return { isMore and 1 or 0, isMine and 1 or 0, shares.shares(prefix, now) }
