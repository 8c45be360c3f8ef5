#!lua flags=allow-oom
--[[
  Records that an effect ran to its end. Compare-and-set on (state, owner): a worker that was paused for too long finds
  that others have moved on. Allowed when the store is full, since the effect has happened already.

  KEYS[1] ledger
  ARGV[1] effect   ARGV[2] owner   ARGV[3] result as JSON, "" for none   ARGV[4] milliseconds to remember it once all is settled

  Returns "done"      also when it was recorded before by this very owner
          "in-doubt"  it was declared in doubt meanwhile; the report is kept with it, for whoever settles it
          "refused"   the effect is no longer this owner's
]]
local field = "e:" .. ARGV[1]
local known = redis.call("HGET", KEYS[1], field)
local entry = known and cjson.decode(known)
if not entry or entry.owner ~= ARGV[2] then return "refused" end
if entry.state == "done" then return "done" end

if entry.state == "in-doubt" then
  entry.report = "done"
  entry.lateResult = ARGV[3] ~= "" and ARGV[3] or nil
  redis.call("HSET", KEYS[1], field, cjson.encode(entry))
  return "in-doubt"
end

local time = redis.call("TIME")
entry.state = "done"
entry.at = time[1] * 1000 + math.floor(time[2] / 1000)
entry.deadline = nil
redis.call("HSET", KEYS[1], field, cjson.encode(entry))
if ARGV[3] ~= "" then redis.call("HSET", KEYS[1], "r:" .. ARGV[1], ARGV[3]) end
-- What is reserved or in doubt must never expire; with nothing of that left, all of it may.
if redis.call("HINCRBY", KEYS[1], "open", -1) == 0 then redis.call("PEXPIRE", KEYS[1], ARGV[4]) end
return "done"
