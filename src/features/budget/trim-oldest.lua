#!lua flags=allow-oom
--[[
  Deletes ended jobs, the oldest first, until those that are left take no more than a number of bytes. Atomic: a job that is retried at the
  same moment is kept. Any number of workers may run it at once: that number is the same for all that have seen the same. Keys and ledgers stay.
  So do jobs in doubt, which come last from then on, and failed ones of the last day.

  KEYS[1] jobs that have completed   KEYS[2] jobs that have failed   KEYS[3] jobs joined to ledgers; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] ledger key prefix   ARGV[3] of which type; empty for all
  ARGV[4] bytes   ARGV[5] how many jobs to look at   ARGV[6] only those that ended by then, in seconds since 1970; empty for any

  Returns how many it deleted, and shares.lua's shares
]]
-- @include ../../core/life/delete-ended.lua
-- @include ./shares.lua

local prefix, type, most, now = ARGV[1], ARGV[3], tonumber(ARGV[5]), nowMs()
local sets = { completed = KEYS[1], failed = KEYS[2] }

local function isAsked(name)
  return type == "" or name == "completed:" .. type or name == "failed:" .. type
end

-- The oldest of all that are asked for, and what all of these take.
local function oldest()
  local sums, found, bytes = readSums(prefix), {}, 0
  for at = 1, #sums, 2 do
    local name = sums[at]
    if isAsked(name) then
      bytes = bytes + sums[at + 1]
      local jobs = oldestOf(prefix, name, now, most)
      for job = 1, #jobs, 2 do found[#found + 1] = { name = name, id = jobs[job], score = tonumber(jobs[job + 1]) } end
    end
  end
  table.sort(found, function(a, b) return a.score < b.score end)
  return found, bytes
end

-- Looks at it again when all that have ended by this moment are gone.
local function defer(job, ms)
  redis.call("ZADD", countedJobs(prefix, job.name), scoreOf(ms, bytesIn(job.score)), job.id)
end

-- Returns whether it is gone.
local function trim(job)
  local state = stateOf(job.name)
  local endedAt = redis.call("ZSCORE", sets[state], job.id)
  if not endedAt then
    uncount(prefix, job.name, job.id)
    return true
  end
  -- Another tool has retried it, and it has ended anew.
  if math.floor(endedAt / 1000) > secondIn(job.score) then
    defer(job, endedAt)
    return false
  end
  if deleteEnded(prefix, job.id, state, ARGV[2], KEYS[3]) then return true end
  defer(job, now)
  return false
end

local found, bytes = oldest()
local deleted, last = 0, tonumber(ARGV[6]) or math.huge
for at = 1, math.min(#found, most) do
  if bytes <= tonumber(ARGV[4]) or secondIn(found[at].score) > last then break end
  if trim(found[at]) then deleted, bytes = deleted + 1, bytes - bytesIn(found[at].score) end
end
return { deleted, shares(prefix, now) }
