--[[
  Stores with a job how one of its attempts failed, unless the job is gone. The latest ones stay, also over retries by hand, which count
  attempts from 1 again. Atomic, so that a repeated call stores nothing twice.
]]
local call = command({
  keys = { "job" },
  arguments = {
    -- Prefix of the fields.
    "fieldPrefix",
    -- JSON.
    "record",
    -- Which attempt.
    "attempt",
    -- How many stay.
    "recordsMax",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})

local job, record, most = call.job, call.record, tonumber(call.recordsMax)
local function fieldOf(number) return call.fieldPrefix .. number % most end

if redis.call("EXISTS", job) == 0 then return redis.status_reply("OK") end
-- Jobs of before it was counted have as many records as attempts.
local kept = tonumber(redis.call("HGET", job, "attemptsKept")) or tonumber(call.attempt) - 1
if redis.call("HGET", job, fieldOf(kept)) ~= record then
  redis.call("HSET", job, fieldOf(kept + 1), record, "attemptsKept", kept + 1)
end
return redis.status_reply("OK")
