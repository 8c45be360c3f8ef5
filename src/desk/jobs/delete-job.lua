--[[
  Deletes a job that has ended, as the retention would: its idempotency key and its ledger stay. Atomic: a job that is retried, or put
  in doubt, at the same moment is kept.
]]
local call = command({
  keys = { "audit", "joined" },
  arguments = {
    "prefix",
    "id",
    "ledgerPrefix",
    -- Only if it ended before this, in milliseconds; empty for whenever.
    "endedBefore",
    -- Only if it ended then, in milliseconds; empty for whenever.
    "endedAt",
    -- Only if it ended in this state; empty for both.
    "state",
    -- Who, for the audit log; empty where that needs no entry.
    "by",
    -- Why, empty for no reason.
    "reason",
  },
  returns = [["deleted", "missing", "in-doubt", "not-ended" where it has not, or not as expected, or "changed" where it ended at another time]],
  whenFull = "runs",
})
local facts = require("../../core/bullmq/job-facts")
local states = require("../../core/bullmq/job-state")
local deletion = require("../../core/life/delete-ended")

local AUDIT_MAX = 100000
local prefix, id = call.prefix, call.id

local function isExpected(state)
  if not facts.hasEnded(state) or call.state ~= "" and state ~= call.state then return false end
  return call.endedBefore == "" or facts.endedAt(prefix, id) < tonumber(call.endedBefore)
end

if not facts.jobExists(prefix, id) then return "missing" end
local state = states.jobState(prefix, id)
if not isExpected(state) then return "not-ended" end
if call.endedAt ~= "" and facts.endedAt(prefix, id) ~= tonumber(call.endedAt) then return "changed" end
if not deletion.deleteEnded(prefix, id, state, call.ledgerPrefix, call.joined) then return "in-doubt" end
if call.by ~= "" then
  redis.call("XADD", call.audit, "MAXLEN", "~", AUDIT_MAX, "*",
    "job", id, "dedupKey", "", "effect", "", "as", "deleted", "evidence", call.reason, "by", call.by)
end
return "deleted"
