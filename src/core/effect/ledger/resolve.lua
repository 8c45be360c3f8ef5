--[[
  Resolves an effect that is in doubt, with evidence, and lets its job go on. Compare-and-set on the state: of two people who
  resolve it at once, one learns that it was resolved already. One step: nobody can die in between and leave the job failed with
  nothing in doubt.
]]
local call = command({
  keys = {
    "ledger",
    "doubts",
    "joined",
    -- When workers were seen.
    "seen",
  },
  arguments = {
    "effect",
    -- "done" or "not-done".
    "verdict",
    -- Result as JSON, or "".
    "result",
    "evidence",
    -- Who.
    "by",
    -- Milliseconds to keep a ledger that no job uses and in which nothing is open.
    "keepMs",
    "dedupKey",
    "prefix",
    -- 1 to say "not done" although its run may still be under way, or says the opposite.
    "isForced",
    -- Since when it was in doubt, in milliseconds, as somebody has seen it; empty for whenever.
    "since",
    -- 1 where they have seen it while its run could still be under way.
    "sawPending",
    -- What it was part of where many were resolved together, or "".
    "actId",
  },
  returns = [[
    { "not-in-doubt", state or false }; { "changed" } where it is in doubt since another time; { "said-done" } where it would be "not done" and its run has reported since that it was done;
    { "over" } where it would be "not done" and its run has ended since they have seen it;
    { "may-be-pending", worker, milliseconds since it was seen, or false } where it would be
    "not done" and its run may still be under way; or { "resolved", job id, what becomes of the job }. The job is
            "retried"     it had failed, and is in its queue again
            "in-doubt"    another effect of its ledger is still open: it goes on when that is resolved
            "running"     it has not ended: its attempt, or its next one, goes on with what is known now
            "cancelled"   it stays cancelled
            "completed"   it had completed
            "gone"        the retention has removed it
            "next-call"   it has none: whoever asks for the effect next goes on
  ]],
  whenFull = "runs",
})
local clock = require("../../../platform/redis/now")
local facts = require("../../bullmq/job-facts")
local states = require("../../bullmq/job-state")
local acts = require("../../bullmq/record-act")
local retries = require("../../bullmq/retry-failed-job")
local entries = require("./entries")
local ledgers = require("./ledger")
local pendingRuns = require("./pending-run")

local effect, dedupKey, prefix = call.effect, call.dedupKey, call.prefix
local entry = entries.readEntry(call.ledger, effect)
if not entry then return { "not-in-doubt", false } end
if entry.state ~= "in-doubt" then return { "not-in-doubt", entry.state } end
-- It was resolved, has run again, and nobody knows anew.
if call.since ~= "" and math.abs(entry.at - tonumber(call.since)) >= 1 then return { "changed" } end
local id = entry.job
if call.verdict == "not-done" and call.isForced ~= "1" then
  -- Whoever looked before it acted saw nothing.
  if entry.report == "done" then return { "said-done" } end
  local isPending, seenAt = pendingRuns.runMayBePending(call.seen, entry)
  if isPending then return { "may-be-pending", entry.worker, seenAt and clock.nowMs() - seenAt } end
  -- It may have acted between the look and its end.
  if call.sawPending == "1" then return { "over" } end
end

local function letJobGoOn()
  if entry.delivery == 0 then return "next-call" end
  if not facts.jobExists(prefix, id) then return "gone" end
  local state = states.jobState(prefix, id)
  if state == "completed" then return "completed" end
  if state ~= "failed" then
    -- Its attempt may fail for the doubt that it knew: the sweep then lets it go on.
    redis.call("ZADD", call.joined, "XX", clock.nowMs(), id .. "/" .. dedupKey)
    return "running"
  end
  if facts.failureCode(facts.failureReason(prefix, id)) == "CANCELLED" then return "cancelled" end
  if redis.call("HGET", call.ledger, "open") ~= "0" then return "in-doubt" end
  ledgers.join(call.joined, call.ledger, id, dedupKey, clock.nowMs())
  retries.retryFailedJob(prefix, id)
  return "retried"
end

if call.verdict == "done" then
  local result = call.result ~= "" and call.result or entry.lateResult
  entry.state, entry.at, entry.resolvedBy = "done", clock.nowMs(), call.by
  entries.writeEntry(call.ledger, effect, entry)
  if result then redis.call("HSET", call.ledger, "r:" .. effect, result) end
else
  ledgers.removeEntry(call.ledger, effect, entry.fence)
end
redis.call("ZREM", call.doubts, dedupKey .. "/" .. effect)
redis.call("HINCRBY", call.ledger, "open", -1)
local fate = letJobGoOn()
ledgers.letExpire(call.ledger, call.keepMs)
local actId = call.actId ~= "" and call.actId or nil
local act = { as = call.verdict, actId = actId, by = call.by, evidence = call.evidence, effect = effect, dedupKey = dedupKey }
acts.writeAudit(prefix, id, act)
acts.keepWithJob(prefix, id, act)
return { "resolved", id, fate }
