#!lua flags=allow-oom
--[[
  Deletes a job that has ended, as the retention would: its idempotency key and its ledger stay. Atomic: a job that is retried, or put
  in doubt, at the same moment is kept.

  KEYS[1] the job   KEYS[2] audit log; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] job id   ARGV[3] ledger key prefix
  ARGV[4] only if it ended at this, in milliseconds; empty for any   ARGV[5] only if it ended in this state; empty for both
  ARGV[6] who, for the audit log; empty where that needs no entry

  Returns "deleted", "missing", "in-doubt", or "not-ended" where it has not, or not as expected
]]
local AUDIT_MAX = 100000
local prefix, id = ARGV[1], ARGV[2]

-- What nobody can know is still to be resolved: the job shows it, and goes on then.
local function isInDoubt(state)
  if state == "failed" and failureCode(failureReason(prefix, id)) == "EFFECT_IN_DOUBT" then return true end
  local dedupKey = dedupKeyOf(prefix, id)
  local open = dedupKey and redis.call("HGET", ARGV[3] .. dedupKey, "open")
  return open and open ~= "0"
end

local function isExpected(state)
  if not hasEnded(state) or ARGV[5] ~= "" and state ~= ARGV[5] then return false end
  return ARGV[4] == "" or math.floor(tonumber(redis.call("HGET", KEYS[1], "finishedOn")) or 0) == tonumber(ARGV[4])
end

if not jobExists(prefix, id) then return "missing" end
local state = jobState(prefix, id)
if not isExpected(state) then return "not-ended" end
if isInDoubt(state) then return "in-doubt" end
removeFromTags(prefix, id, redis.call("HGET", KEYS[1], "opts"))
removeEndedJob(prefix, id, state)
if ARGV[6] ~= "" then
  redis.call("XADD", KEYS[2], "MAXLEN", "~", AUDIT_MAX, "*",
    "job", id, "dedupKey", "", "effect", "", "as", "deleted", "evidence", "", "by", ARGV[6])
end
return "deleted"
