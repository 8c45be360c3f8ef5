--[[
  Reads the stored schedules that are to be looked at. Atomic: what a tick belongs to is decided by the versions and by Redis's clock of
  one moment, and a version that is put later begins later.

  KEYS[1] the index: names by when to look at them   ARGV[1] how many at most   ARGV[2] what the keys of the schedules begin with

  Returns the time, when to look at the next one ("" for never), then of each schedule its name and its hash
]]
-- @include ../../../platform/redis/now.lua

local now = nowText()
local reply = { now, "" }
for _, name in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, ARGV[1])) do
  reply[#reply + 1] = { name, redis.call("HGETALL", ARGV[2] .. name) }
end
local following = redis.call("ZRANGEBYSCORE", KEYS[1], "(" .. now, "+inf", "WITHSCORES", "LIMIT", 0, 1)
reply[2] = following[2] or ""
return reply
