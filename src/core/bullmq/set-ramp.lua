--[[
  Lets the jobs of a partition start slowly. Atomic: the slots of its workers are those that heartbeats count from then on.
]]
local call = command({
  keys = {
    -- Meta (hash).
    "meta",
    -- Workers (hash).
    "workers",
    -- When they were seen (sorted set).
    "seen",
  },
  arguments = {
    -- For how many milliseconds.
    "overMs",
    -- How many partitions share the slots.
    "partitions",
    -- Milliseconds without a heartbeat after which a worker is not counted.
    "silentMs",
    -- Since when, in milliseconds; "" from now on.
    "since",
  },
  returns = [[1]],
  whenFull = "runs",
})
local clock = require("../../platform/redis/now")
local ramps = require("./ramp")

local now = clock.nowMs()
local ramp = { since = tonumber(call.since) or now, overMs = call.overMs, partitions = call.partitions }
ramps.store(call, ramp, now - call.silentMs)
return 1
