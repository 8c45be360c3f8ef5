-- Removes an ended job and what BullMQ keeps of it, and announces it as BullMQ does.
local stream = require("../add/emit")
local enqueue = require("../add/enqueue")

local function jobKeys(prefix, id)
  local job = prefix .. id
  return { job, job .. ":logs", job .. ":dependencies", job .. ":processed", job .. ":failed", job .. ":unsuccessful" }
end

local function removeEndedJob(prefix, id, state)
  redis.call("ZREM", prefix .. state, id)
  redis.call("DEL", unpack(jobKeys(prefix, id)))
  local _, maxEvents = enqueue.readMeta(prefix)
  stream.emit(prefix .. "events", maxEvents, "removed", "jobId", id, "prev", state)
end

return { jobKeys = jobKeys, removeEndedJob = removeEndedJob }
