#!lua flags=allow-oom
--[[
  Accepts, on an operator's word, that Redis has lost data: a new epoch begins. Atomic: a loss found meanwhile is not
  accepted along with it.

  KEYS[1] epoch   KEYS[2] audit log
  ARGV[1] an id for the new epoch   ARGV[2] evidence   ARGV[3] who

  Returns since when it was known, or false where nothing was lost
]]
local AUDIT_MAX = 100000
local EARLIER_MAX = 400
local id, since, known, found, earlier, layout = unpack(
  redis.call("HMGET", KEYS[1], "id", "since", "knownId", "foundId", "earlier", "layout"))
if id ~= "lost" then return false end
local names = string.sub(known .. " " .. found .. " " .. (earlier or ""), 1, EARLIER_MAX)
redis.call("DEL", KEYS[1])
redis.call("HSET", KEYS[1], "id", ARGV[1], "count", 0, "earlier", names)
if layout then redis.call("HSET", KEYS[1], "layout", layout) end
redis.call("XADD", KEYS[2], "MAXLEN", "~", AUDIT_MAX, "*",
  "job", "", "dedupKey", "", "effect", "", "as", "loss-accepted", "evidence", ARGV[2], "by", ARGV[3])
return since
