#!lua flags=allow-oom
--[[
  Declares that nobody can know whether an effect happened. Compare-and-set on (state, owner).

  KEYS[1] ledger   KEYS[2] doubts
  ARGV[1] effect   ARGV[2] owner   ARGV[3] why   ARGV[4] name of the claim, for the doubts

  Returns "in-doubt" or "refused"
]]
local field = "e:" .. ARGV[1]
local known = redis.call("HGET", KEYS[1], field)
local entry = known and cjson.decode(known)
if not entry or entry.owner ~= ARGV[2] then return "refused" end
if entry.state == "in-doubt" then return "in-doubt" end
if entry.state ~= "reserved" then return "refused" end

entry.state = "in-doubt"
entry.at = nowMs()
entry.reason = ARGV[3]
redis.call("HSET", KEYS[1], field, cjson.encode(entry))
redis.call("ZADD", KEYS[2], entry.at, ARGV[4] .. "/" .. ARGV[1])
return "in-doubt"
