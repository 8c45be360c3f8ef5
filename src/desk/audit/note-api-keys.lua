#!lua flags=allow-oom
--[[
  Notes which API keys are configured, with an entry in the audit log. Atomic: of many processes that start with the same keys, one
  writes the entry.

  KEYS[1] the keys that were noted last   KEYS[2] audit log
  ARGV[1] what the caller read there, empty for none   ARGV[2] what it is to be   ARGV[3] what has changed   ARGV[4] who

  Returns 1, or 0 if it is something else by now
]]
local AUDIT_MAX = 100000
if (redis.call("GET", KEYS[1]) or "") ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2])
redis.call("XADD", KEYS[2], "MAXLEN", "~", AUDIT_MAX, "*",
  "job", "", "dedupKey", "", "effect", "", "as", "keys-changed", "evidence", ARGV[3], "by", ARGV[4])
return 1
