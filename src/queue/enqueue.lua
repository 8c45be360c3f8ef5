--[[
  How BullMQ puts jobs in line. Included by other scripts. `prefix` is what all keys of the queue begin with.
  Needs encodings.lua.
]]
local MAX_EVENTS = 10000

-- Returns whether workers may take another job now, and how many events the queue keeps, where that is set.
local function readMeta(prefix)
  local maxEvents, paused, limit = unpack(
    redis.call("HMGET", prefix .. "meta", "opts.maxLenEvents", "paused", "concurrency"))
  local isOpen = not paused and not (limit and redis.call("LLEN", prefix .. "active") >= tonumber(limit))
  return isOpen, maxEvents
end

local function emit(prefix, maxEvents, ...)
  redis.call("XADD", prefix .. "events", "MAXLEN", "~", maxEvents or MAX_EVENTS, "*", "event", ...)
end

local function addPrioritized(prefix, id, priority)
  local turn = redis.call("INCR", prefix .. "pc") % PRIORITY_SCALE
  redis.call("ZADD", prefix .. "prioritized", priority * PRIORITY_SCALE + turn, id)
end

-- Wakes a worker that waits for a job.
local function wakeWorker(prefix)
  redis.call("ZADD", prefix .. "marker", 0, "0")
end
