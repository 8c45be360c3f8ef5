--[[
  Returns a failed job to its queue with all its attempts before it, as BullMQ's reprocessJob does; a job of a lane joins it again, at its
  end. Its delivery count stays: that must be unique to each attempt. Included by other scripts. Needs let-in.lua with its own.

  Returns whether the job was failed
]]
local function retryFailedJob(prefix, id)
  if redis.call("ZREM", prefix .. "failed", id) == 0 then return false end
  redis.call("HDEL", prefix .. id, "finishedOn", "processedOn", "failedReason", "defa", "atm", "stc", "deferredAtCrash", "deferrals", "snoozes")
  local lane = laneOf(prefix, id)
  if lane then
    rejoinLane(prefix, id, lane, nowMs())
  else
    putInLine(prefix, id, 0, 0, "failed")
  end
  return true
end
