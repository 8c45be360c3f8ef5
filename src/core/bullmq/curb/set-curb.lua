--[[
  Curbs a type or a key of a queue, or lets it go. Atomic: each claim finds the curb, or none.
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
  },
  returns = [[1 if there was one before]],
  whenFull = "is refused",
})
local clock = require("../../../platform/redis/now")

local isKnown = redis.call("HEXISTS", call.curbs, call.name)
if call.record ~= "" then
  redis.call("HSET", call.curbs, call.name, call.record)
  redis.call("HSET", call.meta, "curbing", 1)
else
  redis.call("HDEL", call.curbs, call.name)
  if redis.call("EXISTS", call.curbs) == 0 then redis.call("HDEL", call.meta, "curbing") end
end
-- What it held before is let in, as far as it may be.
redis.call("ZADD", call.curbing, "XX", "LT", clock.nowMs(), call.name)
return isKnown
