--[[
  Puts a job that is in Redis where it waits, as BullMQ would. Included by other scripts. `prefix` is what all keys of the queue begin with.
]]
-- @include ./add/line.lua

-- Read once for all jobs of a call.
local isOpen, keptEvents

-- `from`: the state that it was in.
local function putInLine(prefix, id, mayRunAt, now, from)
  if isOpen == nil then isOpen, keptEvents = readMeta(prefix) end
  if mayRunAt > now then
    addDelayed(prefix, id, mayRunAt, keptEvents)
    wakeWhenDue(prefix)
    return
  end
  local priority = tonumber(redis.call("HGET", prefix .. id, "priority") or 0)
  if priority > 0 then
    addByPriority(prefix, id, priority)
  else
    redis.call("LPUSH", prefix .. "wait", id)
  end
  if isOpen then wakeWorker(prefix) end
  emit(prefix .. "events", keptEvents, "waiting", "jobId", id, "prev", from)
end
