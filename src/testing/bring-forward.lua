--[[
  Makes each delayed job due earlier, also one that is held, as if time had passed, and wakes a worker. For tests.
]]
local call = command({
  keys = {
    -- Delayed jobs.
    "delayed",
  },
  arguments = {
    "prefix",
    -- Milliseconds.
    "ms",
  },
  returns = [[how many jobs are delayed]],
  whenFull = "is refused",
})
local enqueue = require("../core/bullmq/add/enqueue")
local encodings = require("../core/bullmq/encodings")
local passTime = require("point:passTime")

local ms = tonumber(call.ms)

local found = redis.call("ZRANGE", call.delayed, 0, -1, "WITHSCORES")
for at = 1, #found, 2 do
  redis.call("ZADD", call.delayed, math.max(0, found[at + 1] - ms * encodings.DUE_SCALE), found[at])
end
for _, id in ipairs(redis.call("ZRANGE", call.prefix .. "waiting-children", 0, -1)) do
  local mayRunAt = redis.call("HGET", call.prefix .. id, "heldAs")
  if mayRunAt then redis.call("HSET", call.prefix .. id, "heldAs", mayRunAt - ms) end
end
local due = redis.call("ZRANGE", call.prefix .. "held:due", 0, -1, "WITHSCORES")
for at = 1, #due, 2 do redis.call("ZADD", call.prefix .. "held:due", math.max(0, due[at + 1] - ms), due[at]) end
for _, ofFeature in ipairs(passTime) do ofFeature(call.prefix, ms) end
if #found + #due > 0 then enqueue.wakeWorker(call.prefix) end
return #found / 2
