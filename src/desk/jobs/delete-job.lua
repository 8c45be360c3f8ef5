#!lua flags=allow-oom
--[[
  Deletes a job that has ended, as the retention would: its idempotency key and its ledger stay. Atomic: a job that is retried, or put
  in doubt, at the same moment is kept.

  KEYS[1] audit log   KEYS[2] jobs joined to ledgers; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] job id   ARGV[3] ledger key prefix
  ARGV[4] only if it ended before this, in milliseconds; empty for whenever   ARGV[5] only if it ended in this state; empty for both
  ARGV[6] who, for the audit log; empty where that needs no entry   ARGV[7] why, empty for no reason

  Returns "deleted", "missing", "in-doubt", or "not-ended" where it has not, or not as expected
]]
-- @include ../../core/life/delete-ended.lua

local AUDIT_MAX = 100000
local prefix, id = ARGV[1], ARGV[2]

local function isExpected(state)
  if not hasEnded(state) or ARGV[5] ~= "" and state ~= ARGV[5] then return false end
  return ARGV[4] == "" or endedAt(prefix, id) < tonumber(ARGV[4])
end

if not jobExists(prefix, id) then return "missing" end
local state = jobState(prefix, id)
if not isExpected(state) then return "not-ended" end
if not deleteEnded(prefix, id, state, ARGV[3], KEYS[2]) then return "in-doubt" end
if ARGV[6] ~= "" then
  redis.call("XADD", KEYS[1], "MAXLEN", "~", AUDIT_MAX, "*",
    "job", id, "dedupKey", "", "effect", "", "as", "deleted", "evidence", ARGV[7], "by", ARGV[6])
end
return "deleted"
