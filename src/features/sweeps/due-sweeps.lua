#!lua flags=no-writes
--[[
  Says which keys of a queue may give a sweep something to do. A sweep of the others would find nothing.

  KEYS[1…] the keys
  ARGV[1…] for each: "any" if any entry gives something to do; otherwise it is a sorted set, and so many milliseconds must have passed since
  its first score, in milliseconds since 1970

  Returns 1 or 0 for each
]]
-- @include ../../platform/redis/now.lua

local now, due = nowMs(), {}

local function isDue(key, after)
  if after == "any" then return redis.call("EXISTS", key) == 1 end
  local first = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")[2]
  return first and tonumber(first) <= now - after
end

for at, key in ipairs(KEYS) do due[at] = isDue(key, ARGV[at]) and 1 or 0 end
return due
