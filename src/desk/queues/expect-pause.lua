--[[
  Whether a queue is still paused, or not, as somebody has seen it who pauses or resumes it now. Atomic: of several who resume the same
  pause, one finds it, and takes its note away with it.
]]
local call = command({
  keys = {
    -- Meta (hash).
    "meta",
    -- Control (hash).
    "control",
  },
  arguments = {
    -- Since when it was paused, in milliseconds; 0 where nobody knows, empty where it was not.
    "since",
  },
  returns = [[1, or 0 if that has changed]],
  whenFull = "runs",
})

local isPaused = redis.call("HEXISTS", call.meta, "paused") == 1
if call.since == "" then return isPaused and 0 or 1 end
local noted = tonumber(redis.call("HGET", call.control, "since")) or 0
if not isPaused or math.abs(noted - tonumber(call.since)) >= 1 then return 0 end
redis.call("HDEL", call.control, "reason", "note", "by", "since")
return 1
