--[[
  Notes that a kind of failure was seen: the first time stays, and those seen longest ago are forgotten. Atomic: they are forgotten in both
  keys.
]]
local call = command({
  keys = {
    -- Since when each is known (hash).
    "first",
    -- When each was seen last (sorted set).
    "seen",
  },
  arguments = {
    -- Its hash.
    "kind",
    -- How many stay known.
    "kindsMax",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})
local clock = require("../../platform/redis/now")

local now = clock.nowMs()
if redis.call("HEXISTS", call.first, call.kind) == 0 then redis.call("HSET", call.first, call.kind, now) end
redis.call("ZADD", call.seen, now, call.kind)
local tooMany = redis.call("ZCARD", call.seen) - call.kindsMax
if tooMany > 0 then
  for _, kind in ipairs(redis.call("ZRANGE", call.seen, 0, tooMany - 1)) do redis.call("HDEL", call.first, kind) end
  redis.call("ZREMRANGEBYRANK", call.seen, 0, tooMany - 1)
end
return redis.status_reply("OK")
