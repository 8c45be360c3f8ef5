--[[
  Deletes jobs of one state whose retention is over, the oldest first; a failed one with its ledger, which would otherwise let the
  same effects happen again, or outlive it. By Redis's clock, and whether or not other jobs end. Atomic: a job that is retried at
  the same moment is kept. Any number of workers may run it at once. Jobs in doubt are kept: they go on when they are resolved.
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
    -- Milliseconds to keep a job, and a ledger that no job uses.
    "keepMs",
    -- How many to skip, which were kept before.
    "skipped",
    -- How many to look at.
    "most",
  },
  returns = [[{ how many it looked at, how many it deleted }]],
  whenFull = "runs",
})
local clock = require("../../platform/redis/now")
local facts = require("../bullmq/job-facts")
local ledgers = require("../effect/ledger/ledger")
local deletion = require("./delete-ended")

-- A report that is under way when its job goes still finds the ledger.
local LATE_MS = 1000
local prefix, state, retentionMs = call.prefix, call.state, tonumber(call.keepMs)
local first, endedBy = tonumber(call.skipped), clock.nowMs() - retentionMs

-- A ledger without `jobs` had no other job, which could have ended later.
local function leaveWith(id, dedupKey)
  if redis.call("ZREM", call.joined, id .. "/" .. dedupKey) == 0 then return end
  local ledger = call.ledgerPrefix .. dedupKey
  local open, jobs = unpack(redis.call("HMGET", ledger, "open", "jobs"))
  if open or jobs then ledgers.leave(ledger, jobs, open or "0", jobs and retentionMs or LATE_MS) end
end

local looked, deleted = 0, 0
local found = redis.call("ZRANGE", call.ended, first, first + call.most - 1, "WITHSCORES")
for at = 1, #found, 2 do
  local id = found[at]
  if tonumber(found[at + 1]) > endedBy then break end
  looked = looked + 1
  local dedupKey = facts.dedupKeyOf(prefix, id)
  if deletion.deleteEnded(prefix, id, state, call.ledgerPrefix, call.joined) then
    deleted = deleted + 1
    if dedupKey then leaveWith(id, dedupKey) end
  end
end
return { looked, deleted }
