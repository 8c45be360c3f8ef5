--[[
  Lets the jobs of a lane in, in order, while it has room.

  Room is derived from BullMQ's sets by whoever looks, not counted: a job that has ended leaves its lane, whoever ended it.
]]
local held = require("../../core/bullmq/held")
local facts = require("../../core/bullmq/job-facts")
local states = require("../../core/bullmq/job-state")
local names = require("../../core/bullmq/names")
local inLine = require("../../core/bullmq/put-in-line")
local laneSets = require("./lanes")

-- Of other tools' making: removed jobs in a row. The sweep goes on with the rest.
local STEPS_MAX = 100

local function stillRuns(prefix, id)
  return not states.hasCompleted(prefix, id) and facts.jobExists(prefix, id) and not names.hasFailed(prefix, id)
end

-- Returns whether the job is under way now.
local function letJobIn(prefix, key, id, mayRunAt, now)
  local wasHeld = held.letGo(prefix, id)
  if not wasHeld and not stillRuns(prefix, id) then
    redis.call("ZREM", key, id)
    return false
  end
  redis.call("ZADD", key, 0, id)
  if wasHeld then inLine.putInLine(prefix, id, tonumber(mayRunAt), now, "waiting-children") end
  return true
end

-- Returns how many jobs were let in, whether any may still be held, and whether there may be room for more. A job behind one that was
-- let in can have a higher limit: the sweep finds that.
local function letIn(prefix, lane, now)
  local key = prefix .. "lane:" .. lane
  local underWay, count = redis.call("ZCOUNT", key, 0, 0), 0
  for _ = 1, STEPS_MAX do
    local id = redis.call("ZRANGE", key, underWay, underWay)[1]
    if not id then
      if underWay == 0 then redis.call("ZREM", prefix .. "lanes", lane) end
      return count, false, false
    end
    local mayRunAt, stored = unpack(redis.call("HMGET", prefix .. id, "heldAs", "lane"))
    local limit = stored and tonumber(string.match(stored, "%d+$"))
    if not mayRunAt or not limit then
      -- Another tool has removed it.
      redis.call("ZREM", key, id)
    elseif underWay >= limit then
      return count, true, false
    elseif letJobIn(prefix, key, id, mayRunAt, now) then
      underWay, count = underWay + 1, count + 1
      if underWay >= limit then return count, true, false end
    end
  end
  return count, true, true
end

-- Adds a job to the end of its lane that was in it before.
local function rejoinLane(prefix, id, lane, now)
  local key = prefix .. "lane:" .. lane
  redis.call("ZREM", key, id)
  local last = tonumber(redis.call("ZREVRANGE", key, 0, 0, "WITHSCORES")[2] or 0)
  redis.call("ZADD", key, last + 1, id)
  redis.call("ZADD", prefix .. "lanes", now + laneSets.HELD_LOOK_MS, lane)
  held.holdJob(prefix, id, now, now)
  letIn(prefix, lane, now)
end

-- A job has left its queue: the next one is let in.
local function leaveLane(prefix, id, lane, now)
  redis.call("ZREM", prefix .. "lane:" .. lane, id)
  letIn(prefix, lane, now)
end

return { stillRuns = stillRuns, letIn = letIn, rejoinLane = rejoinLane, leaveLane = leaveLane }
