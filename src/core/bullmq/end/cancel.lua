--[[
  Cancels a job. A waiting job fails at once, without a worker. An active one is marked, and its worker notified: BullMQ fails a
  job with this mark the next time it is claimed. A parent that is cancelled gets no further children; those that it has go on.
  Atomic: what features do with its end is done, and no worker claims it meanwhile.
]]
local call = command({
  keys = { "job" },
  arguments = {
    "prefix",
    "id",
    -- The reason, as it is stored with the job.
    "reason",
    -- Channel of the queue's cancellations, in the same slot.
    "channel",
    -- Who cancels it and why, as JSON; empty where nobody does.
    "act",
    -- What they have seen, as as-seen.lua reads it; empty for whatever it is.
    "seen",
  },
  returns = [["cancelled", "cancelling", "ended", "missing", or "changed" if it is no longer as they have seen it]],
  whenFull = "is refused",
})
local clock = require("../../../platform/redis/now")
local facts = require("../job-facts")
local states = require("../job-state")
local sight = require("../as-seen")
local acts = require("../record-act")
local waiting = require("./take-out")

-- Each takes prefix, id, reason and the time.
local enders = require("point:ended")

local prefix, id, reason = call.prefix, call.id, call.reason
if not facts.jobExists(prefix, id) then return "missing" end
local state, _, isHeld = states.jobState(prefix, id)
if not sight.isAsSeen(prefix, id, state, call.seen) then return "changed" end
if facts.hasEnded(state) then return "ended" end
if state == "active" then
  redis.call("HSET", call.job, "defa", reason)
  redis.call("SPUBLISH", call.channel, id)
  acts.recordAct(prefix, id, call.act, "cancelling")
  return "cancelling"
end

waiting.takeOut(prefix, id, state, isHeld)
local now = clock.nowMs()
redis.call("ZADD", prefix .. "failed", now, id)
redis.call("HSET", call.job, "failedReason", reason, "finishedOn", now)
redis.call("XADD", prefix .. "events", "*", "event", "failed", "jobId", id, "failedReason", reason, "prev", "waiting")
for _, ended in ipairs(enders) do ended(prefix, id, reason, now) end
acts.recordAct(prefix, id, call.act, "cancelled")
return "cancelled"
