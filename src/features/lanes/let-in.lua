--[[
  Lets the jobs of a lane in, in order, while it has room. Included by other scripts.

  Room is derived from BullMQ's sets by whoever looks, not counted: a job that has ended leaves its lane, whoever ended it.
]]
-- @include ../fairness/fairness.lua
-- @include ../../core/bullmq/job-state.lua
-- @include ./lanes.lua

-- Of other tools' making: removed jobs in a row. The sweep goes on with the rest.
local STEPS_MAX = 100

local function stillRuns(prefix, id)
  return not hasCompleted(prefix, id) and jobExists(prefix, id) and not redis.call("ZSCORE", prefix .. "failed", id)
end

-- Read once for all jobs of a call.
local mayRun, eventsMax

-- Puts a job where it waits, as BullMQ would. `from`: the state that it was in.
local function putInLine(prefix, id, mayRunAt, now, from, stored, turn)
  if mayRun == nil then mayRun, eventsMax = readMeta(prefix) end
  if mayRunAt > now then
    addDelayed(prefix, id, mayRunAt, eventsMax)
    wakeWhenDue(prefix)
    return
  end
  local priority = tonumber(stored or 0)
  if turn then
    addFair(prefix, id, priority, turn)
  elseif priority > 0 then
    addPrioritized(prefix, id, priority)
  else
    redis.call("LPUSH", prefix .. "wait", id)
  end
  if mayRun then wakeWorker(prefix) end
  emit(prefix .. "events", eventsMax, "waiting", "jobId", id, "prev", from)
end

-- Returns whether the job is under way now.
local function letJobIn(prefix, key, id, mayRunAt, now, priority, turn)
  redis.call("HDEL", prefix .. id, "heldAs")
  local wasHeld = redis.call("ZREM", prefix .. "waiting-children", id) == 1
  if not wasHeld and not stillRuns(prefix, id) then
    redis.call("ZREM", key, id)
    return false
  end
  redis.call("ZADD", key, 0, id)
  if wasHeld then putInLine(prefix, id, tonumber(mayRunAt), now, "waiting-children", priority, turn) end
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
    local mayRunAt, stored, priority, turn = unpack(
      redis.call("HMGET", prefix .. id, "heldAs", "lane", "priority", "turn"))
    local limit = stored and tonumber(string.match(stored, "%d+$"))
    if not mayRunAt or not limit then
      -- Another tool has removed it.
      redis.call("ZREM", key, id)
    elseif underWay >= limit then
      return count, true, false
    elseif letJobIn(prefix, key, id, mayRunAt, now, priority, turn) then
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
  redis.call("ZADD", prefix .. "lanes", now + HELD_LOOK_MS, lane)
  holdJob(prefix, id, now, now)
  letIn(prefix, lane, now)
end

-- A job has left its queue: the next one is let in.
local function leaveLane(prefix, id, lane, now)
  redis.call("ZREM", prefix .. "lane:" .. lane, id)
  letIn(prefix, lane, now)
end
