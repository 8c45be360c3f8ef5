-- Removes an ended job and what BullMQ keeps of it, and announces it as BullMQ does. Included by other scripts.
-- @include ./add/enqueue.lua

local function removeEndedJob(prefix, id, state)
  local job = prefix .. id
  redis.call("ZREM", prefix .. state, id)
  redis.call("DEL", job, job .. ":logs", job .. ":dependencies", job .. ":processed", job .. ":failed", job .. ":unsuccessful")
  local _, maxEvents = readMeta(prefix)
  emit(prefix .. "events", maxEvents, "removed", "jobId", id, "prev", state)
end
