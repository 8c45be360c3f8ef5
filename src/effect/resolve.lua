#!lua flags=allow-oom
--[[
  Settles an effect that is in doubt, with evidence. Compare-and-set on the state, so that of two people who settle it
  at once one is told that it was settled already.

  KEYS[1] ledger   KEYS[2] doubts   KEYS[3] audit
  ARGV[1] effect   ARGV[2] "done" or "not-done"   ARGV[3] result as JSON, or ""   ARGV[4] evidence   ARGV[5] who
  ARGV[6] milliseconds to remember it once all is settled   ARGV[7] name of the claim

  Returns { "resolved", job id } or { "not-in-doubt", state or false }
]]
local AUDIT_MAX = 100000
local field = "e:" .. ARGV[1]
local known = redis.call("HGET", KEYS[1], field)
local entry = known and cjson.decode(known)
if not entry then return { "not-in-doubt", false } end
if entry.state ~= "in-doubt" then return { "not-in-doubt", entry.state } end

local time = redis.call("TIME")
if ARGV[2] == "done" then
  local result = ARGV[3] ~= "" and ARGV[3] or entry.lateResult
  entry.state = "done"
  entry.at = time[1] * 1000 + math.floor(time[2] / 1000)
  entry.settledBy = ARGV[5]
  redis.call("HSET", KEYS[1], field, cjson.encode(entry))
  if result then redis.call("HSET", KEYS[1], "r:" .. ARGV[1], result) end
else
  redis.call("HDEL", KEYS[1], field)
end
redis.call("ZREM", KEYS[2], ARGV[7] .. "/" .. ARGV[1])
if redis.call("HINCRBY", KEYS[1], "open", -1) == 0 then redis.call("PEXPIRE", KEYS[1], ARGV[6]) end
redis.call("XADD", KEYS[3], "MAXLEN", "~", AUDIT_MAX, "*",
  "job", entry.job, "effect", ARGV[1], "as", ARGV[2], "evidence", ARGV[4], "by", ARGV[5], "claim", ARGV[7])
return { "resolved", entry.job }
