#!lua flags=allow-oom
--[[
  Resolves an effect that is in doubt, with evidence, and lets its job go on. Compare-and-set on the state: of two people who
  resolve it at once, one learns that it was resolved already. One step: nobody can die in between and leave the job failed with
  nothing in doubt.

  KEYS[1] ledger   KEYS[2] doubts   KEYS[3] jobs joined to ledgers   KEYS[4] when workers were seen; all other keys share their slot
  ARGV[1] effect   ARGV[2] "done" or "not-done"   ARGV[3] result as JSON, or ""   ARGV[4] evidence   ARGV[5] who
  ARGV[6] milliseconds to keep a ledger that no job uses and in which nothing is open   ARGV[7] deduplication key
  ARGV[8] what all keys of the queue begin with   ARGV[9] 1 to say "not done" although its run may still be under way

  Returns { "not-in-doubt", state or false }; { "may-be-pending", worker, milliseconds since it was seen, or false } where it would be
  "not done" and its run may still be under way; or { "resolved", job id, what becomes of the job }. The job is
          "retried"     it had failed, and is in its queue again
          "in-doubt"    another effect of its ledger is still open: it goes on when that is resolved
          "running"     it has not ended: its attempt, or its next one, goes on with what is known now
          "cancelled"   it stays cancelled
          "completed"   it had completed
          "gone"        the retention has removed it
          "next-call"   it has none: whoever asks for the effect next goes on
]]
-- @include ./entries.lua
-- @include ./ledger.lua
-- @include ./pending-run.lua
-- @include ../../bullmq/record-act.lua
-- @include ../../bullmq/retry-failed-job.lua

local effect, dedupKey, prefix = ARGV[1], ARGV[7], ARGV[8]
local entry = readEntry(KEYS[1], effect)
if not entry then return { "not-in-doubt", false } end
if entry.state ~= "in-doubt" then return { "not-in-doubt", entry.state } end
local id = entry.job
if ARGV[2] == "not-done" and ARGV[9] ~= "1" then
  local isPending, seenAt = runMayBePending(KEYS[4], entry)
  if isPending then return { "may-be-pending", entry.worker, seenAt and nowMs() - seenAt } end
end

local function letJobGoOn()
  if entry.delivery == 0 then return "next-call" end
  if not jobExists(prefix, id) then return "gone" end
  local state = jobState(prefix, id)
  if state == "completed" then return "completed" end
  if state ~= "failed" then
    -- Its attempt may fail for the doubt that it knew: the sweep then lets it go on.
    redis.call("ZADD", KEYS[3], "XX", nowMs(), id .. "/" .. dedupKey)
    return "running"
  end
  if failureCode(failureReason(prefix, id)) == "CANCELLED" then return "cancelled" end
  if redis.call("HGET", KEYS[1], "open") ~= "0" then return "in-doubt" end
  join(KEYS[3], KEYS[1], id, dedupKey, nowMs())
  retryFailedJob(prefix, id)
  return "retried"
end

if ARGV[2] == "done" then
  local result = ARGV[3] ~= "" and ARGV[3] or entry.lateResult
  entry.state, entry.at, entry.resolvedBy = "done", nowMs(), ARGV[5]
  writeEntry(KEYS[1], effect, entry)
  if result then redis.call("HSET", KEYS[1], "r:" .. effect, result) end
else
  removeEntry(KEYS[1], effect, entry.fence)
end
redis.call("ZREM", KEYS[2], dedupKey .. "/" .. effect)
redis.call("HINCRBY", KEYS[1], "open", -1)
local fate = letJobGoOn()
letExpire(KEYS[1], ARGV[6])
local act = { as = ARGV[2], by = ARGV[5], evidence = ARGV[4], effect = effect, dedupKey = dedupKey }
writeAudit(prefix, id, act)
keepWithJob(prefix, id, act)
return { "resolved", id, fate }
