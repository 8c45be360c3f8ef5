--[[
  Lets a job that waits for a doubt run again, so that its handler asks the effect's probe. Notes in the doubt who asked. Atomic: of two
  people who ask at once, one starts it; and no job runs again whose doubt somebody has resolved meanwhile, or that was cancelled.
]]
local call = command({
  keys = {
    "ledger",
    "joined",
  },
  arguments = {
    -- As the ledger names it.
    "effect",
    "dedupKey",
    "prefix",
    "by",
    -- Why, as the audit log keeps it.
    "evidence",
    -- Since when it was in doubt, in milliseconds, as it was read.
    "since",
    -- What it is part of: one call asks many.
    "actId",
  },
  returns = [["asked", "not-in-doubt", "missing" where the job is gone, "under-way" where it has not ended, so that its next attempt asks in any case, or "cancelled"]],
  whenFull = "is refused",
})
local facts = require("../../core/bullmq/job-facts")
local states = require("../../core/bullmq/job-state")
local acts = require("../../core/bullmq/record-act")
local retries = require("../../core/bullmq/retry-failed-job")
local entries = require("../../core/effect/ledger/entries")
local ledgers = require("../../core/effect/ledger/ledger")
local clock = require("../../platform/redis/now")

local prefix, effect = call.prefix, call.effect
local entry = entries.readEntry(call.ledger, effect)
if not entry or entry.state ~= "in-doubt" or math.abs(entry.at - tonumber(call.since)) >= 1 then return "not-in-doubt" end
local id = entry.job
if not facts.jobExists(prefix, id) then return "missing" end
local now = clock.nowMs()
local hasFailed = states.jobState(prefix, id) == "failed"
if hasFailed and facts.failureCode(facts.failureReason(prefix, id)) == "CANCELLED" then return "cancelled" end
entry.askedAt, entry.askedBy = now, call.by
entries.writeEntry(call.ledger, effect, entry)
if not hasFailed then return "under-way" end
retries.retryFailedJob(prefix, id)
ledgers.join(call.joined, call.ledger, id, call.dedupKey, now)
local act = { as = "probe-asked", actId = call.actId, by = call.by, evidence = call.evidence, effect = effect, dedupKey = call.dedupKey }
acts.writeAudit(prefix, id, act)
acts.keepWithJob(prefix, id, act)
return "asked"
