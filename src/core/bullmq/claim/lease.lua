--[[
  Whether a worker still has a job, and what an attempt notes with it. `prefix` is what all keys of the queue begin with.

  The lock's token alone proves nothing: a worker's slot reuses it for its next job. BullMQ's count of deliveries is unique to
  an attempt.
]]

-- Returns whether this delivery holds the lock, whether the job is cancelled, and its deduplication key, if it has one.
local function readLease(prefix, id, token, delivery)
  local job = prefix .. id
  local latest, isCancelled, dedupKey = unpack(redis.call("HMGET", job, "ats", "defa", "dedupKey"))
  local isLeased = latest == delivery and redis.call("GET", job .. ":lock") == token
  return isLeased, isCancelled, dedupKey
end

-- Takes the lock away: the attempt can neither complete nor begin an effect, and BullMQ finds the job as stalled.
local function breakLease(prefix, id, token, delivery)
  if readLease(prefix, id, token, delivery) then redis.call("DEL", prefix .. id .. ":lock") end
end

-- The job has asked for an effect: its effects are found by this.
local function setDedupKey(prefix, id, dedupKey)
  redis.call("HSET", prefix .. id, "dedupKey", dedupKey)
end

-- How often the job was deferred because another worker was at one of its effects.
local function countDeferral(prefix, id)
  return redis.call("HINCRBY", prefix .. id, "deferrals", 1)
end

return {
  readLease = readLease,
  breakLease = breakLease,
  setDedupKey = setDedupKey,
  countDeferral = countDeferral,
}
