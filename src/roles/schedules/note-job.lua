--[[
  Notes the job of the tick that a schedule runs, unless another tick runs by now.
]]
local call = command({
  keys = {
    -- The schedule's hash, as decide-tick.lua has it.
    "schedule",
  },
  arguments = {
    "tick",
    -- Its job's id.
    "jobId",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})

if redis.call("HGET", call.schedule, "running") == call.tick then redis.call("HSET", call.schedule, "job", call.jobId) end
return redis.status_reply("OK")
