--[[
  How BullMQ puts jobs in line. `prefix` is what all keys of the queue begin with.
]]
local encodings = require("../encodings")
local stream = require("./emit")

-- Returns whether workers may take another job now, and how many events the queue keeps, where that is set.
local function readMeta(prefix)
  local maxEvents, paused, limit = unpack(
    redis.call("HMGET", prefix .. "meta", "opts.maxLenEvents", "paused", "concurrency"))
  local isOpen = not paused and not (limit and redis.call("LLEN", prefix .. "active") >= tonumber(limit))
  return isOpen, maxEvents
end

local function addPrioritized(prefix, id, priority)
  local turn = redis.call("INCR", prefix .. "pc") % encodings.PRIORITY_SCALE
  redis.call("ZADD", prefix .. "prioritized", priority * encodings.PRIORITY_SCALE + turn, id)
end

-- Behind the jobs of the same millisecond.
local function addDelayed(prefix, id, due, maxEvents)
  local least, most = due * encodings.DUE_SCALE, due * encodings.DUE_SCALE + encodings.DUE_SCALE - 1
  local last = redis.call("ZREVRANGEBYSCORE", prefix .. "delayed", most, least, "WITHSCORES", "LIMIT", 0, 1)[2]
  redis.call("ZADD", prefix .. "delayed", last and math.min(tonumber(last) + 1, most) or least, id)
  stream.emit(prefix .. "events", maxEvents, "delayed", "jobId", id, "delay", due)
end

-- Wakes a worker when the next delayed job is due.
local function wakeWhenDue(prefix)
  local due = redis.call("ZRANGE", prefix .. "delayed", 0, 0, "WITHSCORES")[2]
  redis.call("ZADD", prefix .. "marker", tonumber(due) / encodings.DUE_SCALE, "1")
end

-- Wakes a worker that waits for a job.
local function wakeWorker(prefix)
  redis.call("ZADD", prefix .. "marker", 0, "0")
end

return {
  readMeta = readMeta,
  addPrioritized = addPrioritized,
  addDelayed = addDelayed,
  wakeWhenDue = wakeWhenDue,
  wakeWorker = wakeWorker,
}
