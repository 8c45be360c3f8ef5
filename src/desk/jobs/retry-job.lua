#!lua
--[[
  Retries a failed job by hand, with all its attempts before it, and keeps its ledger alive, if it has one. Atomic: a job that is
  not failed stays as it is, and none that once had a ledger is retried without it: its effects would happen again.

  KEYS[1] jobs joined to ledgers; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] job id   ARGV[3] ledger key prefix
  ARGV[4] for which reason it must have failed; empty for any   ARGV[5] before when, in milliseconds; empty for any time
  ARGV[6] who retries it and why, as JSON; empty where nobody does

  Returns "retried", "not-failed", "missing", or "forgotten" where its ledger is gone
]]
-- @include ../../core/effect/ledger/ledger.lua
-- @include ../../core/bullmq/record-act.lua
-- @include ../../core/bullmq/retry-failed-job.lua

local prefix, id = ARGV[1], ARGV[2]
if not jobExists(prefix, id) then return "missing" end
if ARGV[4] ~= "" and failureReason(prefix, id) ~= ARGV[4] then return "not-failed" end
if ARGV[5] ~= "" and endedAt(prefix, id) >= tonumber(ARGV[5]) then return "not-failed" end
if jobState(prefix, id) ~= "failed" then return "not-failed" end
local dedupKey = dedupKeyOf(prefix, id)
local ledger = dedupKey and ARGV[3] .. dedupKey
if ledger and redis.call("EXISTS", ledger) == 0 then return "forgotten" end
retryFailedJob(prefix, id)
if ledger then join(KEYS[1], ledger, id, dedupKey, nowMs()) end
recordAct(prefix, id, ARGV[6], "retried")
return "retried"
