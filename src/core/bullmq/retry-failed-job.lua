--[[
  Returns a failed job to its queue with all its attempts before it, as BullMQ's reprocessJob does. Its delivery count stays: that
  must be unique to each attempt.
]]
local clock = require("../../platform/redis/now")
local inLine = require("./put-in-line")

-- Called for a failed job only.
local function retryFailedJob(prefix, id)
  redis.call("ZREM", prefix .. "failed", id)
  local now = clock.nowMs()
  redis.call("HDEL", prefix .. id, "finishedOn", "processedOn", "failedReason", "defa", "atm", "stc", "deferredAtCrash", "deferrals",
    "snoozes")
  -- Each takes prefix, id and the time; returns whether the job waits for something else first, and so is not put in line.
  local retriers = require("point:retry")
  for _, retry in ipairs(retriers) do
    if retry(prefix, id, now) then return end
  end
  inLine.putInLine(prefix, id, 0, 0, "failed")
end

return { retryFailedJob = retryFailedJob }
