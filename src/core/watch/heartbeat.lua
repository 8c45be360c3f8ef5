--[[
  Stores a worker's heartbeat, and forgets workers that sent none for long, with what they noted of their runs.
]]
local call = command({
  keys = {
    -- Workers (hash).
    "workers",
    -- When they were seen (sorted set).
    "seen",
  },
  arguments = {
    -- The worker's name.
    "worker",
    -- Its heartbeat, as JSON.
    "heartbeat",
    -- Milliseconds after which a worker is forgotten, "" to forget none.
    "keepMs",
    -- Of the queue's keys.
    "prefix",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})
local clock = require("../../platform/redis/now")
local stillRuns = require("../status/still-runs")

local now = clock.nowMs()
local silent = call.keepMs == "" and {} or redis.call("ZRANGEBYSCORE", call.seen, "-inf", now - call.keepMs)
for _, name in ipairs(silent) do
  redis.call("HDEL", call.workers, name)
  redis.call("ZREM", call.seen, name)
end
redis.call("HSET", call.workers, call.worker, call.heartbeat)
redis.call("ZADD", call.seen, now, call.worker)
if call.keepMs ~= "" then stillRuns.forget(call.prefix) end
return redis.status_reply("OK")
