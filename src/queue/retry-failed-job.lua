--[[
  Returns a failed job to its queue with all its attempts before it, as BullMQ's reprocessJob does; a job of a lane joins it again, at its
  end. Its delivery count stays: that must be unique to each attempt. In a flow, its parent waits for it again, and a parent for its
  children. Included by other scripts. Needs let-in.lua and flow.lua with their own.

  Returns whether the job was failed
]]
local UNSUCCESSFUL_READ = 1000

-- A parent that runs, or is about to, has seen this child's failure: it keeps that.
local function rejoinParent(prefix, id)
  local parent, child = parentOf(prefix, id), prefix .. id
  if not parent then return end
  local key = prefix .. parent.id
  if not isWaitingForChildren(prefix, parent.id) and not redis.call("ZSCORE", prefix .. "failed", parent.id) then return end
  if redis.call("ZREM", key .. ":unsuccessful", child) + redis.call("HDEL", key .. ":failed", child) == 0 then return end
  redis.call("SADD", key .. ":dependencies", child)
end

-- Moves children on that were retried while their parent was about to fail.
local function lookAtUnsuccessful(prefix, parent)
  for _, child in ipairs(redis.call("ZRANGE", parent .. ":unsuccessful", 0, UNSUCCESSFUL_READ - 1)) do
    local id = string.sub(child, #prefix + 1)
    local state = jobExists(prefix, id) and jobState(prefix, id) or "failed"
    if state ~= "failed" then redis.call("ZREM", parent .. ":unsuccessful", child) end
    if state == "completed" then
      redis.call("HSET", parent .. ":processed", child, redis.call("HGET", child, "returnvalue") or "null")
    elseif state ~= "failed" then
      redis.call("SADD", parent .. ":dependencies", child)
    end
  end
end

-- Returns whether the job is a parent that waits for its children now. One of which children have failed fails again.
local function awaitsChildren(prefix, id, now)
  local parent = prefix .. id
  reopenFlow(parent)
  lookAtUnsuccessful(prefix, parent)
  local failed = redis.call("ZRANGE", parent .. ":unsuccessful", 0, 0)[1]
  if failed then redis.call("HSET", parent, "defa", "child " .. failed .. " failed") end
  if failed or redis.call("SCARD", parent .. ":dependencies") == 0 then return false end
  awaitChildren(prefix, id, now)
  return true
end

local function retryFailedJob(prefix, id)
  if redis.call("ZREM", prefix .. "failed", id) == 0 then return false end
  local job, now = prefix .. id, nowMs()
  redis.call("HDEL", job, "finishedOn", "processedOn", "failedReason", "defa", "atm", "stc", "deferredAtCrash", "deferrals", "snoozes")
  rejoinParent(prefix, id)
  if awaitsChildren(prefix, id, now) then return true end
  local lane = laneOf(prefix, id)
  if lane then
    rejoinLane(prefix, id, lane, now)
  else
    putInLine(prefix, id, 0, 0, "failed", unpack(redis.call("HMGET", prefix .. id, "priority", "turn")))
  end
  return true
end
