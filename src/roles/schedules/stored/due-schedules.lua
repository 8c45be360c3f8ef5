--[[
  Reads the stored schedules that are to be looked at. Atomic: what a tick belongs to is decided by the versions and by Redis's clock of
  one moment, and a version that is put later begins later.
]]
local call = command({
  keys = {
    -- The index: names by when to look at them.
    "due",
  },
  arguments = {
    -- How many at most.
    "most",
    -- What the keys of the schedules begin with.
    "schedulePrefix",
  },
  returns = [[the time, when to look at the next one ("" for never), then of each schedule its name and its hash]],
  whenFull = "stops at its first write",
})
local clock = require("../../../platform/redis/now")

local now = clock.nowText()
local reply = { now, "" }
for _, name in ipairs(redis.call("ZRANGEBYSCORE", call.due, "-inf", now, "LIMIT", 0, call.most)) do
  reply[#reply + 1] = { name, redis.call("HGETALL", call.schedulePrefix .. name) }
end
local following = redis.call("ZRANGEBYSCORE", call.due, "(" .. now, "+inf", "WITHSCORES", "LIMIT", 0, 1)
reply[2] = following[2] or ""
return reply
