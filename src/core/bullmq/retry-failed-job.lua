--[[
  Returns a failed job to its queue with all its attempts before it, as BullMQ's reprocessJob does; a job of a lane joins it again, at its
  end. Its delivery count stays: that must be unique to each attempt. In a flow, its parents wait for it again, and a parent for its
  children. Included by other scripts.

  Returns whether the job was failed
]]
-- @include ../../features/lanes/let-in.lua
-- @include ../../features/flows/look-at-children.lua
-- @include ../../platform/redis/now.lua

-- A parent that runs, or is about to, has seen this child's failure: it keeps that.
local function rejoinParent(prefix, id, child)
  local key = prefix .. id
  if not isWaitingForChildren(prefix, id) and not redis.call("ZSCORE", prefix .. "failed", id) then return end
  if redis.call("ZREM", key .. ":unsuccessful", child) + redis.call("HDEL", key .. ":failed", child) == 0 then return end
  redis.call("SADD", key .. ":dependencies", child)
end

-- Returns whether the job is a parent that waits for its children now. One of which children have failed fails again.
local function awaitsChildren(prefix, id, now)
  local parent = prefix .. id
  reopenFlow(parent)
  local failed, hasMore = lookAtUnsuccessful(prefix, parent)
  if failed then redis.call("HSET", parent, "defa", "child " .. failed .. " failed") end
  -- The sweep looks at the rest, and then lets it go on.
  if hasMore then redis.call("SADD", parent .. ":dependencies", openMark(parent)) end
  if failed or redis.call("SCARD", parent .. ":dependencies") == 0 then return false end
  awaitChildren(prefix, id, now)
  return true
end

local function retryFailedJob(prefix, id)
  if redis.call("ZREM", prefix .. "failed", id) == 0 then return false end
  local job, now = prefix .. id, nowMs()
  redis.call("HDEL", job, "finishedOn", "processedOn", "failedReason", "defa", "atm", "stc", "deferredAtCrash", "deferrals", "snoozes")
  for _, parent in ipairs(parentsOf(prefix, id)) do rejoinParent(prefix, parent.id, job) end
  if awaitsChildren(prefix, id, now) then return true end
  local lane = laneOf(prefix, id)
  if lane then
    rejoinLane(prefix, id, lane, now)
  else
    putInLine(prefix, id, 0, 0, "failed", unpack(redis.call("HMGET", prefix .. id, "priority", "turn")))
  end
  return true
end
