#!lua
--[[
  Retries a failed job by hand: with all its attempts before it, and its ledger, if it has one, alive again. Atomic, so that
  a job that is not failed, or gone, is left as it is, and none is put back without its ledger.

  KEYS[1] the job, and the slot of all else
  ARGV[1] how the keys of the queue begin   ARGV[2] job id   ARGV[3] how the names of ledgers begin; the job's claim completes
    one   ARGV[4] the sorted set of the jobs that are joined to ledgers
  ARGV[5] for which reason it must have failed; empty for any

  Returns "retried", "not-failed" or "missing"
]]
if redis.call("EXISTS", KEYS[1]) == 0 then return "missing" end
if ARGV[5] ~= "" and redis.call("HGET", KEYS[1], "failedReason") ~= ARGV[5] then return "not-failed" end
if not retryFailedJob(ARGV[1], ARGV[2]) then return "not-failed" end
local claim = redis.call("HGET", KEYS[1], "claim")
local ledger = claim and ARGV[3] .. claim
if ledger and redis.call("EXISTS", ledger) == 1 then
  join(ARGV[4], ledger, redis.call("HGET", ledger, "jobs"), ARGV[2], claim, nowMs())
end
return "retried"
