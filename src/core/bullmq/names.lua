-- What features read of a job beside its state, by BullMQ's names. `prefix` is what all keys of the queue begin
-- with.
local encodings = require("./encodings")

local DELIVERIES, STARTED_AT, ENDED_AT, SUBMITTED_AT, OPTIONS, WORKER = "ats", "processedOn", "finishedOn", "timestamp", "opts", "pb"

-- The key that holds what has a deduplication key.
local function holderKey(prefix, dedupKey)
  return prefix .. "de:" .. dedupKey
end

local function hasFailed(prefix, id)
  return redis.call("ZSCORE", prefix .. "failed", id) and true
end

-- When a delayed job is due, in milliseconds; nil for any other.
local function delayedUntil(prefix, id)
  local score = redis.call("ZSCORE", prefix .. "delayed", id)
  return score and score / encodings.DUE_SCALE or nil
end

-- Returns whether the job was delayed, and is due at another time now.
local function moveDelayed(prefix, id, due)
  return redis.call("ZADD", prefix .. "delayed", "XX", "CH", due * encodings.DUE_SCALE, id) == 1
end

-- The worker that had an active job, by the job's key; "" where another one has claimed it since.
local function lostWorker(job)
  local isClaimed = redis.call("EXISTS", job .. ":lock") == 1
  return not isClaimed and redis.call("HGET", job, WORKER) or ""
end

return {
  DELIVERIES = DELIVERIES,
  STARTED_AT = STARTED_AT,
  ENDED_AT = ENDED_AT,
  SUBMITTED_AT = SUBMITTED_AT,
  OPTIONS = OPTIONS,
  WORKER = WORKER,
  holderKey = holderKey,
  hasFailed = hasFailed,
  delayedUntil = delayedUntil,
  moveDelayed = moveDelayed,
  lostWorker = lostWorker,
}
