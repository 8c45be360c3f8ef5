--[[
  A lane: the jobs of one concurrency key that have not ended, as the sorted set `lane:<hash>`. Score 0 is under way: let in to where
  workers find it, waiting for a retry, or running. The others are held, in order of submission. Included by other scripts. `prefix` is
  what all keys of the queue begin with.

  A held job is in BullMQ's set of jobs that wait for children, with a score below zero; parents of a flow have a time there. Two
  fields of a job are ours: `lane`, its lane's hash and limit, and while it is held `heldAs`, when it may run: milliseconds since 1970.
  `lanes` has the lanes that have jobs, scored by when the sweep looks at them.
]]
-- @include ../../core/bullmq/add/enqueue.lua

local HELD_OFFSET = 0x10000000000000
-- When the sweep looks at a lane where a job is held; and at others, whose ended jobs only cost memory.
local HELD_LOOK_MS, IDLE_LOOK_MS = 2000, 900000

local function holdJob(prefix, id, mayRunAt, now, maxEvents)
  redis.call("HSET", prefix .. id, "heldAs", mayRunAt)
  redis.call("ZADD", prefix .. "waiting-children", now - HELD_OFFSET, id)
  emit(prefix .. "events", maxEvents, "waiting-children", "jobId", id)
end

-- Adds a new job to its lane. Returns whether it is held there; otherwise the caller puts it in line.
local function joinLane(prefix, id, lane, mayRunAt, now, maxEvents)
  local key = prefix .. "lane:" .. lane.hash
  local last = tonumber(redis.call("ZREVRANGE", key, 0, 0, "WITHSCORES")[2])
  local isHeld = last and (last > 0 or redis.call("ZCARD", key) >= lane.limit)
  redis.call("HSET", prefix .. id, "lane", lane.hash .. " " .. lane.limit)
  redis.call("ZADD", key, isHeld and last + 1 or 0, id)
  if not last then
    redis.call("ZADD", prefix .. "lanes", now + IDLE_LOOK_MS, lane.hash)
  elseif isHeld and last == 0 then
    redis.call("ZADD", prefix .. "lanes", "LT", now + HELD_LOOK_MS, lane.hash)
  end
  if isHeld then holdJob(prefix, id, mayRunAt, now, maxEvents) end
  return isHeld
end
