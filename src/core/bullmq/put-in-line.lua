--[[
  Puts a job that is in Redis where it waits, as BullMQ would. `prefix` is what all keys of the queue begin with.
]]
local enqueue = require("./add/enqueue")
local line = require("./add/line")
local stream = require("./add/emit")

-- `from`: the state that it was in.
local function putInLine(prefix, id, mayRunAt, now, from)
  local isOpen, maxEvents = enqueue.readMeta(prefix)
  if mayRunAt > now then
    enqueue.addDelayed(prefix, id, mayRunAt, maxEvents)
    enqueue.wakeWhenDue(prefix)
    return
  end
  local priority = tonumber(redis.call("HGET", prefix .. id, "priority") or 0)
  if priority > 0 then
    line.addByPriority(prefix, id, priority)
  else
    redis.call("LPUSH", prefix .. "wait", id)
  end
  if isOpen then enqueue.wakeWorker(prefix) end
  stream.emit(prefix .. "events", maxEvents, "waiting", "jobId", id, "prev", from)
end

return { putInLine = putInLine }
