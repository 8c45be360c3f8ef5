--[[
  Returns a failed job to its queue with all its attempts before it, as BullMQ's reprocessJob does. Its delivery count stays: that
  must be unique to each attempt. Included by other scripts.

  Returns whether the job was failed
]]
-- @include ./put-in-line.lua
-- @include ../../platform/redis/now.lua

-- Each takes prefix, id and the time; returns whether the job waits for something else first, and so is not put in line.
local retryFeatures = {}
-- @include ../../features/points/retry.lua

local function retryFailedJob(prefix, id)
  if redis.call("ZREM", prefix .. "failed", id) == 0 then return false end
  local now = nowMs()
  redis.call("HDEL", prefix .. id, "finishedOn", "processedOn", "failedReason", "defa", "atm", "stc", "deferredAtCrash", "deferrals",
    "snoozes")
  for _, retry in ipairs(retryFeatures) do
    if retry(prefix, id, now) then return true end
  end
  putInLine(prefix, id, 0, 0, "failed")
  return true
end
