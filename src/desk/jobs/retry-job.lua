--[[
  Retries a failed job by hand, with all its attempts before it, and keeps its ledger alive, if it has one. Atomic: a job that is
  not failed stays as it is, and none that once had a ledger is retried without it: its effects would happen again.
]]
local call = command({
  keys = { "joined" },
  arguments = {
    "prefix",
    "id",
    "ledgerPrefix",
    -- For which reason it must have failed; empty for any.
    "reason",
    -- Before when, in milliseconds; empty for any time.
    "before",
    -- Who retries it and why, as JSON; empty where nobody does.
    "act",
    -- What they have seen, as as-seen.lua reads it; empty for whatever it is.
    "seen",
  },
  returns = [["retried", "not-failed", "missing", "changed" if it is no longer as they have seen it, or "forgotten" where its ledger is gone]],
  whenFull = "is refused",
})
local facts = require("../../core/bullmq/job-facts")
local names = require("../../core/bullmq/names")
local states = require("../../core/bullmq/job-state")
local sight = require("../../core/bullmq/as-seen")
local acts = require("../../core/bullmq/record-act")
local retries = require("../../core/bullmq/retry-failed-job")
local ledgers = require("../../core/effect/ledger/ledger")
local clock = require("../../platform/redis/now")
local indexes = require("../../features/job-index")

-- By the act on many jobs that has retried them.
local RETRIED = { set = "retried:", all = "retries" }

local prefix, id = call.prefix, call.id
if not facts.jobExists(prefix, id) then return "missing" end
if call.reason ~= "" and facts.failureReason(prefix, id) ~= call.reason then return "not-failed" end
if call.before ~= "" and facts.endedAt(prefix, id) >= tonumber(call.before) then return "not-failed" end
local state = states.jobState(prefix, id)
if not sight.isAsSeen(prefix, id, state, call.seen) then return "changed" end
if state ~= "failed" then return "not-failed" end
local dedupKey = facts.dedupKeyOf(prefix, id)
local ledger = dedupKey and call.ledgerPrefix .. dedupKey
if ledger and redis.call("EXISTS", ledger) == 0 then return "forgotten" end
retries.retryFailedJob(prefix, id)
if ledger then ledgers.join(call.joined, ledger, id, dedupKey, clock.nowMs()) end
acts.recordAct(prefix, id, call.act, "retried")
local act = call.act ~= "" and cjson.decode(call.act) or {}
if act.actId then
  local submittedAt = redis.call("HGET", prefix .. id, names.SUBMITTED_AT)
  indexes.addJob(RETRIED, { prefix = prefix, submittedAt = submittedAt }, id, { act.actId })
end
return "retried"
