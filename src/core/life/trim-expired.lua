#!lua flags=allow-oom
--[[
  Deletes jobs of one state whose retention is over, the oldest first; a failed one with its ledger, which would otherwise let the
  same effects happen again, or outlive it. By Redis's clock, and whether or not other jobs end. Atomic: a job that is retried at
  the same moment is kept. Any number of workers may run it at once. Jobs in doubt are kept: they go on when they are resolved.

  KEYS[1] jobs that ended in this state   KEYS[2] jobs joined to ledgers; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] ledger key prefix   ARGV[3] "completed" or "failed"
  ARGV[4] milliseconds to keep a job, and a ledger that no job uses   ARGV[5] how many to skip, which were kept before
  ARGV[6] how many to look at

  Returns { how many it looked at, how many it deleted }
]]
-- @include ./delete-ended.lua
-- @include ../effect/ledger/ledger.lua

-- A report that is under way when its job goes still finds the ledger.
local LATE_MS = 1000
local prefix, state, retentionMs = ARGV[1], ARGV[3], tonumber(ARGV[4])
local first, endedBy = tonumber(ARGV[5]), nowMs() - retentionMs

-- A ledger without `jobs` had no other job, which could have ended later.
local function leaveWith(id, dedupKey)
  if redis.call("ZREM", KEYS[2], id .. "/" .. dedupKey) == 0 then return end
  local ledger = ARGV[2] .. dedupKey
  local open, jobs = unpack(redis.call("HMGET", ledger, "open", "jobs"))
  if open or jobs then leave(ledger, jobs, open or "0", jobs and retentionMs or LATE_MS) end
end

local looked, deleted = 0, 0
local found = redis.call("ZRANGE", KEYS[1], first, first + ARGV[6] - 1, "WITHSCORES")
for at = 1, #found, 2 do
  local id = found[at]
  if tonumber(found[at + 1]) > endedBy then break end
  looked = looked + 1
  local dedupKey = dedupKeyOf(prefix, id)
  if deleteEnded(prefix, id, state, ARGV[2], KEYS[2]) then
    deleted = deleted + 1
    if dedupKey then leaveWith(id, dedupKey) end
  end
end
return { looked, deleted }
