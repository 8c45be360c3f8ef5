#!lua
--[[
  Cancels a job. A waiting job fails at once, without a worker. An active one is marked, and its worker notified: BullMQ fails a
  job with this mark the next time it is claimed. A parent that is cancelled gets no further children; those that it has go on.
  Atomic: what features do with its end is done, and no worker claims it meanwhile.

  KEYS[1] the job; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] job id   ARGV[3] the reason, as it is stored with the job
  ARGV[4] channel of the queue's cancellations, in the same slot
  ARGV[5] who cancels it and why, as JSON; empty where nobody does

  Returns "cancelled", "cancelling", "ended" or "missing"
]]
-- @include ../bullmq/job-facts.lua
-- @include ./take-out.lua
-- @include ../bullmq/record-act.lua

-- Each takes prefix, id, reason and the time.
local endFeatures = {}
-- @include ../../features/points/end.lua

local prefix, id, reason = ARGV[1], ARGV[2], ARGV[3]
if not jobExists(prefix, id) then return "missing" end
local state, _, isHeld = jobState(prefix, id)
if hasEnded(state) then return "ended" end
if state == "active" then
  redis.call("HSET", KEYS[1], "defa", reason)
  redis.call("SPUBLISH", ARGV[4], id)
  recordAct(prefix, id, ARGV[5], "cancelling")
  return "cancelling"
end

takeOut(prefix, id, state, isHeld)
local now = nowMs()
redis.call("ZADD", prefix .. "failed", now, id)
redis.call("HSET", KEYS[1], "failedReason", reason, "finishedOn", now)
redis.call("XADD", prefix .. "events", "*", "event", "failed", "jobId", id, "failedReason", reason, "prev", "waiting")
for _, ended in ipairs(endFeatures) do ended(prefix, id, reason, now) end
recordAct(prefix, id, ARGV[5], "cancelled")
return "cancelled"
