--[[
  Says which keys of queues may give a sweep something to do. A sweep of the others would find nothing. Most queues have few of the keys:
  those that the last look has not found cost one command together.
]]
local call = command({
  keys = {
    -- The keys, those that the last look has found first.
    "...",
  },
  arguments = {
    -- How many of them the last look has found.
    "found",
    -- For each: "any" if any entry gives something to do; otherwise it is a sorted set, and so many milliseconds must have passed since
    -- its first score, in milliseconds since 1970.
    "...",
  },
  returns = [[for each 0 if it may now, in how many milliseconds it may, -1 if there is none]],
  whenFull = "writes nothing",
})
local clock = require("../../platform/redis/now")

local found, due, now = tonumber(call.found), {}, nil

local function look(key, after)
  if after == "any" then return redis.call("EXISTS", key) - 1 end
  local first = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")[2]
  if not first then return -1 end
  now = now or clock.nowMs()
  return math.max(0, math.ceil(first + after - now))
end

local isNew = found < #KEYS and redis.call("EXISTS", unpack(KEYS, found + 1)) > 0
for at, key in ipairs(KEYS) do due[at] = (at <= found or isNew) and look(key, ARGV[at + 1]) or -1 end
return due
