--[[
  A lane: the jobs of one concurrency key that have not ended, as the sorted set `lane:<hash>`. Score 0 is under way: let in to where
  workers find it, waiting for a retry, or running. The others are held, in order of submission. `prefix` is what all keys of the queue
  begin with.

  A job's field `lane` is its lane's hash and limit.
  `lanes` has the lanes that have jobs, scored by when the sweep looks at them.
]]
local held = require("../../core/bullmq/held")

-- When the sweep looks at a lane where a job is held; and at others, whose ended jobs only cost memory.
local HELD_LOOK_MS, IDLE_LOOK_MS = 2000, 900000

-- The lane of a job: its hash, and how many of its jobs may be under way.
local function laneOf(prefix, id)
  local lane = redis.call("HGET", prefix .. id, "lane")
  if lane then return string.match(lane, "^(%S+) (%d+)$") end
end

-- Adds a new job to its lane. Returns whether it is held there; otherwise the caller puts it in line.
local function joinLane(placing, job, lane)
  local prefix, id, now = placing.prefix, job.id, placing.now
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
  if isHeld then held.holdJob(prefix, id, job.mayRunAt, now, placing.maxEvents) end
  return isHeld
end

return { HELD_LOOK_MS = HELD_LOOK_MS, IDLE_LOOK_MS = IDLE_LOOK_MS, laneOf = laneOf, joinLane = joinLane }
