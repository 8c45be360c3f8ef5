--[[
  Stores a worker's heartbeat, and forgets workers that sent none for long, with what they noted of their runs. Of a version that no worker
  had before, it stores since when. The worker hears whether it is to claim no more jobs. A ramp counts the slots of the workers anew.
]]
local call = command({
  keys = {
    -- Workers (hash).
    "workers",
    -- When they were seen (sorted set).
    "seen",
    -- Since when each version is known (hash).
    "versions",
    -- What workers were told (hash): JSON with `startedAt`, and `since` of a quiet one.
    "quiet",
    -- Meta (hash).
    "meta",
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
    -- Of its application; "" where it says none.
    "version",
    -- How many stay known.
    "versionsMax",
    -- When the worker started, in milliseconds: another process with its name may have been told.
    "startedAt",
    -- The record that has made it quiet; "" if none has.
    "told",
    -- Milliseconds without a heartbeat after which a worker's slots do not count.
    "silentMs",
  },
  returns = [[the record that makes it quiet, "" if none does]],
  whenFull = "stops at its first write",
})
local clock = require("../../platform/redis/now")
local ramps = require("../bullmq/ramp")
local stillRuns = require("../status/still-runs")

local now = clock.nowMs()

-- A version that comes back is not new.
local function noteVersion()
  if call.version == "" or redis.call("HEXISTS", call.versions, call.version) == 1 then return end
  redis.call("HSET", call.versions, call.version, now)
  if redis.call("HLEN", call.versions) <= tonumber(call.versionsMax) then return end
  local known, oldest, oldestAt = redis.call("HGETALL", call.versions), "", math.huge
  for at = 1, #known, 2 do
    local since = tonumber(known[at + 1])
    if since < oldestAt then oldest, oldestAt = known[at], since end
  end
  redis.call("HDEL", call.versions, oldest)
end

-- What Redis has forgotten, the worker tells it.
local function makesQuiet()
  local record = redis.call("HGET", call.quiet, call.worker)
  local known = record and cjson.decode(record)
  if known and known.startedAt == tonumber(call.startedAt) then return known.since and record or "" end
  if call.told ~= "" then redis.call("HSET", call.quiet, call.worker, call.told) end
  return call.told
end

local silent = call.keepMs == "" and {} or redis.call("ZRANGEBYSCORE", call.seen, "-inf", now - call.keepMs)
for _, name in ipairs(silent) do
  redis.call("HDEL", call.workers, name)
  redis.call("ZREM", call.seen, name)
  redis.call("HDEL", call.quiet, name)
end
redis.call("HSET", call.workers, call.worker, call.heartbeat)
redis.call("ZADD", call.seen, now, call.worker)
ramps.recount(call, now, now - call.silentMs)
noteVersion()
if call.keepMs ~= "" then stillRuns.forget(call.prefix) end
return makesQuiet()
