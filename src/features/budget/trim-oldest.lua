--[[
  Deletes ended jobs, the oldest first, until those that are left take no more than a number of bytes. Atomic: a job that is retried at the
  same moment is kept. Any number of workers may run it at once: that number is the same for all that have seen the same. Keys and ledgers stay.
  So do jobs in doubt, which come last from then on, and failed ones of the last day.
]]
local call = command({
  keys = {
    -- Jobs that have completed.
    "completed",
    -- Jobs that have failed.
    "failed",
    "joined",
  },
  arguments = {
    "prefix",
    "ledgerPrefix",
    -- Of which type; empty for all.
    "type",
    "bytes",
    -- How many jobs to look at.
    "most",
    -- Only those that ended by then, in seconds since 1970; empty for any.
    "endedBy",
  },
  returns = [[how many it deleted, and shares.lua's shares]],
  whenFull = "runs",
})
local deletion = require("../../core/life/delete-ended")
local clock = require("../../platform/redis/now")
local budgets = require("./budget")
local shares = require("./shares")

local prefix, typeName, most, now = call.prefix, call.type, tonumber(call.most), clock.nowMs()
local sets = { completed = call.completed, failed = call.failed }

local function isAsked(name)
  return typeName == "" or name == "completed:" .. typeName or name == "failed:" .. typeName
end

-- The oldest of all that are asked for, and what all of these take.
local function oldest()
  local sums, found, bytes = shares.readSums(prefix), {}, 0
  for at = 1, #sums, 2 do
    local name = sums[at]
    if isAsked(name) then
      bytes = bytes + sums[at + 1]
      local jobs = shares.oldestOf(prefix, name, now, most)
      for job = 1, #jobs, 2 do found[#found + 1] = { name = name, id = jobs[job], score = tonumber(jobs[job + 1]) } end
    end
  end
  table.sort(found, function(a, b) return a.score < b.score end)
  return found, bytes
end

-- Looks at it again when all that have ended by this moment are gone.
local function defer(job, ms)
  redis.call("ZADD", budgets.countedJobs(prefix, job.name), budgets.scoreOf(ms, budgets.bytesIn(job.score)), job.id)
end

-- Returns whether it is gone.
local function trim(job)
  local state = shares.stateOf(job.name)
  local endedAt = redis.call("ZSCORE", sets[state], job.id)
  if not endedAt then
    budgets.uncount(prefix, job.name, job.id)
    return true
  end
  -- Another tool has retried it, and it has ended anew.
  if math.floor(endedAt / 1000) > budgets.secondIn(job.score) then
    defer(job, endedAt)
    return false
  end
  if deletion.deleteEnded(prefix, job.id, state, call.ledgerPrefix, call.joined) then return true end
  defer(job, now)
  return false
end

local found, bytes = oldest()
local deleted, last = 0, tonumber(call.endedBy) or math.huge
for at = 1, math.min(#found, most) do
  if bytes <= tonumber(call.bytes) or budgets.secondIn(found[at].score) > last then break end
  if trim(found[at]) then deleted, bytes = deleted + 1, bytes - budgets.bytesIn(found[at].score) end
end
return { deleted, shares.shares(prefix, now) }
