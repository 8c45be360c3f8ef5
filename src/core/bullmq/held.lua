--[[
  Jobs that are held: they wait until other jobs have ended or a time has come, and no worker finds them.
  `prefix` is what all keys of the queue begin with.

  BullMQ has no state for them. A held job is in its set of jobs that wait for children, with a score below zero; parents of a flow have a
  time there. Its field `heldAs` is when it may run: milliseconds since 1970. `held:due` has those that the next claim after that time
  lets in, in order; the whole part of a score is that time.

  A job's field `asks` is what features need to know of it when it is claimed. `asking`, in the queue's settings, counts the jobs that ever
  had one; without it a claim looks at neither the field nor `held:due`.
]]
local stream = require("./add/emit")
local encodings = require("./encodings")

local HELD_OFFSET = 0x10000000000000

-- Returns the number of the job among those that ask.
local function countAsking(prefix)
  return redis.call("HINCRBY", prefix .. "meta", "asking", 1)
end

local function holdJob(prefix, id, mayRunAt, now, maxEvents)
  redis.call("HSET", prefix .. id, "heldAs", mayRunAt)
  redis.call("ZADD", prefix .. "waiting-children", now - HELD_OFFSET, id)
  stream.emit(prefix .. "events", maxEvents or redis.call("HGET", prefix .. "meta", "opts.maxLenEvents"), "waiting-children", "jobId", id)
end

-- Says from when on a held job is let in, behind those of the same millisecond, and wakes a worker then: by a mark of its own, since
-- BullMQ writes its times over each other.
local function letInAt(prefix, id, mayRunAt)
  local due, step = prefix .. "held:due", 1 / encodings.DUE_SCALE
  local last = redis.call("ZREVRANGEBYSCORE", due, "(" .. mayRunAt + 1, mayRunAt, "WITHSCORES", "LIMIT", 0, 1)[2]
  redis.call("HSET", prefix .. id, "heldAs", mayRunAt)
  redis.call("ZADD", due, last and math.min(last + step, mayRunAt + 1 - step) or mayRunAt, id)
  redis.call("ZADD", prefix .. "marker", "LT", mayRunAt, "2")
end

-- Returns whether it was held. The caller puts it where it goes.
local function letGo(prefix, id)
  redis.call("HDEL", prefix .. id, "heldAs")
  redis.call("ZREM", prefix .. "held:due", id)
  return redis.call("ZREM", prefix .. "waiting-children", id) == 1
end

local function isHeld(prefix, id)
  local score = redis.call("ZSCORE", prefix .. "waiting-children", id)
  return score and tonumber(score) < 0
end

return { countAsking = countAsking, holdJob = holdJob, letInAt = letInAt, letGo = letGo, isHeld = isHeld }
