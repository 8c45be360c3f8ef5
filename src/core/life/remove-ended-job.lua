-- Removes an ended job and what BullMQ keeps of it, and announces it as BullMQ does. Included by other scripts.
-- @include ../bullmq/add/enqueue.lua

local function jobKeys(prefix, id)
  local job = prefix .. id
  return { job, job .. ":logs", job .. ":dependencies", job .. ":processed", job .. ":failed", job .. ":unsuccessful" }
end

local function removeEndedJob(prefix, id, state)
  redis.call("ZREM", prefix .. state, id)
  redis.call("DEL", unpack(jobKeys(prefix, id)))
  local _, maxEvents = readMeta(prefix)
  emit(prefix .. "events", maxEvents, "removed", "jobId", id, "prev", state)
end
