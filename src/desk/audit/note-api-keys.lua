--[[
  Notes which API keys are configured, with an entry in the audit log. Atomic: of many processes that start with the same keys, one
  writes the entry.
]]
local call = command({
  keys = {
    -- The keys that were noted last.
    "noted",
    "audit",
  },
  arguments = {
    -- What the caller read there, empty for none.
    "before",
    -- What it is to be.
    "after",
    -- What has changed.
    "changes",
    -- Who.
    "by",
  },
  returns = [[1, or 0 if it is something else by now]],
  whenFull = "runs",
})

local AUDIT_MAX = 100000
if (redis.call("GET", call.noted) or "") ~= call.before then return 0 end
redis.call("SET", call.noted, call.after)
redis.call("XADD", call.audit, "MAXLEN", "~", AUDIT_MAX, "*",
  "job", "", "dedupKey", "", "effect", "", "as", "keys-changed", "evidence", call.changes, "by", call.by)
return 1
