--[[
  Returns a failed job to its queue with all its attempts before it, as BullMQ's reprocessJob does. Its delivery count stays:
  that must be unique to each attempt. Included by other scripts. Needs enqueue.lua and fairness.lua.

  Returns whether the job was failed
]]
local function retryFailedJob(prefix, id)
  if redis.call("ZREM", prefix .. "failed", id) == 0 then return false end
  local job = prefix .. id
  redis.call("HDEL", job, "finishedOn", "processedOn", "failedReason", "defa", "atm", "stc", "deferredAtCrash", "deferrals", "snoozes")
  local isOpen, maxEvents = readMeta(prefix)
  local stored, turn = unpack(redis.call("HMGET", job, "priority", "turn"))
  local priority = tonumber(stored or 0)
  if turn then
    addFair(prefix, id, priority, turn)
  elseif priority > 0 then
    addPrioritized(prefix, id, priority)
  else
    redis.call("LPUSH", prefix .. "wait", id)
  end
  if isOpen then wakeWorker(prefix) end
  emit(prefix, maxEvents, "waiting", "jobId", id, "prev", "failed")
  return true
end
