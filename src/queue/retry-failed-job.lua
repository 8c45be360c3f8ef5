--[[
  Puts a failed job back in its queue with all its attempts and crashes before it, as BullMQ's own reprocessJob does.
  Its count of deliveries stays: it tells each attempt from every other.

  Included in the scripts that need it. `prefix` is how the keys of the queue begin.

  Returns whether the job was failed
]]
local function retryFailedJob(prefix, id)
  if redis.call("ZREM", prefix .. "failed", id) == 0 then return false end
  local job = prefix .. id
  redis.call("HDEL", job, "finishedOn", "processedOn", "failedReason", "defa", "atm", "stc", "setAside", "busy")
  local maxEvents, paused, limit = unpack(
    redis.call("HMGET", prefix .. "meta", "opts.maxLenEvents", "paused", "concurrency"))
  local isClosed = paused or (limit and redis.call("LLEN", prefix .. "active") >= tonumber(limit))
  local priority = tonumber(redis.call("HGET", job, "priority") or 0)
  if priority > 0 then
    local turn = redis.call("INCR", prefix .. "pc") % 0x100000000
    redis.call("ZADD", prefix .. "prioritized", priority * 0x100000000 + turn, id)
  else
    redis.call("LPUSH", prefix .. "wait", id)
  end
  if not isClosed then redis.call("ZADD", prefix .. "marker", 0, "0") end
  redis.call("XADD", prefix .. "events", "MAXLEN", "~", maxEvents or 10000, "*",
    "event", "waiting", "jobId", id, "prev", "failed")
  return true
end
