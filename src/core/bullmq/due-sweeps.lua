#!lua flags=no-writes
--[[
  Says which sweeps of a queue may have something to do. A sweep that is not named would find nothing.

  KEYS[1] jobs joined to ledgers   KEYS[2] jobs that began one   KEYS[3] lanes   KEYS[4] parents that wait for their children
  KEYS[5] completed jobs   KEYS[6] failed jobs
  ARGV[1] milliseconds for which an ended job is kept

  Returns the names of those sweeps: "ledgers", "lanes", "parents", "expired"
]]
-- @include ../../platform/redis/now.lua

local now, due = nowMs(), {}

-- Whether the first entry of a sorted set is from then or before.
local function beginsBy(key, time)
  local first = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")
  return first[2] and tonumber(first[2]) <= time
end

local function add(name, isDue)
  if isDue then due[#due + 1] = name end
end

local endedBy = now - ARGV[1]
add("ledgers", redis.call("LLEN", KEYS[2]) > 0 or beginsBy(KEYS[1], now))
add("lanes", beginsBy(KEYS[3], now))
add("parents", redis.call("ZCARD", KEYS[4]) > 0)
add("expired", beginsBy(KEYS[5], endedBy) or beginsBy(KEYS[6], endedBy))
return due
