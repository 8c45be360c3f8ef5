--[[
  How many jobs of each state a queue holds, and how long the oldest has waited, at the same cost at any depth. Atomic: the
  numbers fit together.

  KEYS[1] doubts   KEYS[2] workers seen; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] milliseconds without a heartbeat after which a worker is not counted

  Returns { waiting, prioritized, delayed, active, completed, failed, workers, doubts,
    milliseconds for which the next job could have run, milliseconds since the oldest doubt, 1 if it is paused, waiting for children,
    0 without limits, 1 with some, 2 while one of them keeps the next job from starting }
]]
-- @include ../../core/bullmq/job-facts.lua
-- @include ../../platform/redis/now.lua
-- @include ./ready-since.lua

local prefix, now = ARGV[1], nowMs()
local function key(name) return prefix .. name end

local function sinceOf(id) return id and readySince(prefix, id) or now end

-- As BullMQ counts: starts of the current time of a rate, and jobs that are active.
local function limited()
  local limits = redis.call("HMGET", key("meta"), "concurrency", "max")
  local concurrency, max = tonumber(limits[1] or ""), tonumber(limits[2] or "")
  if not concurrency and not max then return 0 end
  if concurrency and redis.call("LLEN", key("active")) >= concurrency then return 2 end
  local started = max and tonumber(redis.call("GET", key("limiter")) or 0) or 0
  return max and started >= max and redis.call("PTTL", key("limiter")) > 0 and 2 or 1
end

local due = redis.call("ZRANGE", key("delayed"), 0, 0, "WITHSCORES")[2]
local since = math.min(
  sinceOf(redis.call("LINDEX", key("wait"), -1)),
  sinceOf(redis.call("LINDEX", key("paused"), -1)),
  sinceOf(redis.call("ZRANGE", key("prioritized"), 0, 0)[1]),
  due and math.floor(due / DUE_SCALE) or now
)
local held = heldCount(prefix)
local doubt = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")[2]

return {
  redis.call("LLEN", key("wait")) + redis.call("LLEN", key("paused")) + held,
  redis.call("ZCARD", key("prioritized")),
  redis.call("ZCARD", key("delayed")),
  redis.call("LLEN", key("active")),
  redis.call("ZCARD", key("completed")),
  redis.call("ZCARD", key("failed")),
  redis.call("ZCOUNT", KEYS[2], now - ARGV[2], "+inf"),
  redis.call("ZCARD", KEYS[1]),
  now - since,
  doubt and now - doubt or 0,
  redis.call("HEXISTS", key("meta"), "paused"),
  redis.call("ZCARD", key("waiting-children")) - held,
  limited(),
}
