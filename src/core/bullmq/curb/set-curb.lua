--[[
  Curbs a type or a key of a queue, or lets it go. Atomic: each claim finds the curb, or none; and it is so only if it still is as somebody
  has seen it.
]]
local call = command({
  keys = {
    -- Curbs (hash).
    "curbs",
    "meta",
    -- Those that have jobs.
    "curbing",
  },
  arguments = {
    "name",
    -- How many may run, a space, and JSON; empty to let it go.
    "record",
    -- Since when it was curbed, in milliseconds; 0 where it was not, empty for whatever it is.
    "seen",
  },
  returns = [[1 if there was one before, 0 if not, -1 if that is not as it was seen: then nothing is changed]],
  whenFull = "is refused",
})
local clock = require("../../../platform/redis/now")

local known = redis.call("HGET", call.curbs, call.name)
if call.seen ~= "" then
  local since = known and tonumber(cjson.decode(string.match(known, "^%d+ (.*)$")).since) or 0
  if since ~= tonumber(call.seen) then return -1 end
end
if call.record ~= "" then
  redis.call("HSET", call.curbs, call.name, call.record)
  redis.call("HSET", call.meta, "curbing", 1)
else
  redis.call("HDEL", call.curbs, call.name)
  if redis.call("EXISTS", call.curbs) == 0 then redis.call("HDEL", call.meta, "curbing") end
end
-- What it held before is let in, as far as it may be.
redis.call("ZADD", call.curbing, "XX", "LT", clock.nowMs(), call.name)
return known and 1 or 0
