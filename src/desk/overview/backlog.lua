--[[
  How many jobs of each state a queue holds, and how long the oldest has waited, at the same cost at any depth. Atomic: the
  numbers fit together.
]]
local call = command({
  keys = {
    "doubts",
    -- Workers seen.
    "seen",
    -- Workers (hash).
    "workers",
    -- What workers were told (hash).
    "quiet",
  },
  arguments = {
    "prefix",
    -- Milliseconds without a heartbeat after which a worker is not counted.
    "silentMs",
  },
  returns = [[
    { waiting, prioritized, delayed, active, completed, failed, workers, doubts,
      milliseconds for which the next job could have run, milliseconds since the oldest doubt, 1 if it is paused, waiting for children,
      0 without limits, 1 with some, 2 while one of them keeps the next job from starting, quiet workers,
      1 while a resumed queue starts slowly }
  ]],
  whenFull = "stops at its first write",
})
local encodings = require("../../core/bullmq/encodings")
local facts = require("../../core/bullmq/job-facts")
local ramps = require("../../core/bullmq/ramp")
local clock = require("../../platform/redis/now")
local readiness = require("./ready-since")

local prefix, now = call.prefix, clock.nowMs()
local function key(name) return prefix .. name end

local function sinceOf(id) return id and readiness.readySince(prefix, id) or now end

local limits = redis.call("HMGET", key("meta"), "concurrency", "max", "ramp")
local most = limits[3] and ramps.roomAt(limits[3], now)

-- As BullMQ counts: starts of the current time of a rate, and jobs that are active.
local function limited()
  local concurrency, max = tonumber(limits[1] or ""), tonumber(limits[2] or "")
  if most then concurrency = math.min(most, concurrency or most) end
  if not concurrency and not max then return 0 end
  if concurrency and redis.call("LLEN", key("active")) >= concurrency then return 2 end
  local started = max and tonumber(redis.call("GET", key("limiter")) or 0) or 0
  return max and started >= max and redis.call("PTTL", key("limiter")) > 0 and 2 or 1
end

-- Whatever else was written there is an empty record.
local function recordIn(hash, name)
  local isReadable, record = pcall(cjson.decode, redis.call("HGET", hash, name) or "")
  return isReadable and type(record) == "table" and record or {}
end

-- Of those that are counted. A record for another process of that name does not count, nor one without `since`.
local function quietWorkers()
  local count = 0
  for _, name in ipairs(redis.call("HKEYS", call.quiet)) do
    local told = recordIn(call.quiet, name)
    local isAlive = tonumber(redis.call("ZSCORE", call.seen, name) or 0) >= now - call.silentMs
    local isMeant = told.since and told.startedAt and told.startedAt == recordIn(call.workers, name).startedAt
    if isAlive and isMeant then count = count + 1 end
  end
  return count
end

local due = redis.call("ZRANGE", key("delayed"), 0, 0, "WITHSCORES")[2]
local since = math.min(
  sinceOf(redis.call("LINDEX", key("wait"), -1)),
  sinceOf(redis.call("LINDEX", key("paused"), -1)),
  sinceOf(redis.call("ZRANGE", key("prioritized"), 0, 0)[1]),
  due and math.floor(due / encodings.DUE_SCALE) or now
)
local held = facts.heldCount(prefix)
local doubt = redis.call("ZRANGE", call.doubts, 0, 0, "WITHSCORES")[2]

return {
  redis.call("LLEN", key("wait")) + redis.call("LLEN", key("paused")) + held,
  redis.call("ZCARD", key("prioritized")),
  redis.call("ZCARD", key("delayed")),
  redis.call("LLEN", key("active")),
  redis.call("ZCARD", key("completed")),
  redis.call("ZCARD", key("failed")),
  redis.call("ZCOUNT", call.seen, now - call.silentMs, "+inf"),
  redis.call("ZCARD", call.doubts),
  now - since,
  doubt and now - doubt or 0,
  redis.call("HEXISTS", key("meta"), "paused"),
  redis.call("ZCARD", key("waiting-children")) - held,
  limited(),
  quietWorkers(),
  most and 1 or 0,
}
