#!lua flags=allow-oom
--[[
  Gives a reservation back: this run of the effect provably did nothing. Compare-and-set on (state, owner).

  KEYS[1] ledger   KEYS[2] doubts
  ARGV[1] effect   ARGV[2] owner   ARGV[3] milliseconds to remember what is left once nothing is open and no job uses it
  ARGV[4] name of the claim, for the doubts

  Returns "released"
          "in-doubt"  it was declared in doubt meanwhile: the report is kept with it, for whoever settles it; or it was a
                      repetition, and what is known of this run says nothing about the earlier one
          "refused"   the effect is no longer this owner's
]]
local field = "e:" .. ARGV[1]
local known = redis.call("HGET", KEYS[1], field)
local entry = known and cjson.decode(known)
if not entry or entry.owner ~= ARGV[2] or entry.state == "done" then return "refused" end

if entry.state == "in-doubt" then
  entry.report = "not-done"
  redis.call("HSET", KEYS[1], field, cjson.encode(entry))
  return "in-doubt"
end

if entry.again then
  entry.state = "in-doubt"
  entry.at = nowMs()
  entry.reason = "an earlier run was not heard of again"
  redis.call("HSET", KEYS[1], field, cjson.encode(entry))
  redis.call("ZADD", KEYS[2], entry.at, ARGV[4] .. "/" .. ARGV[1])
  return "in-doubt"
end
redis.call("HDEL", KEYS[1], field)
closeOne(KEYS[1], ARGV[3])
return "released"
