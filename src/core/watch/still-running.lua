--[[
  Notes that a run goes on although it was told to stop, or takes the note back. Atomic: several runs of one job share a field. Safe to repeat.
]]
local call = command({
  keys = {
    -- As still-runs.lua has it.
    "notes",
  },
  arguments = {
    "jobId",
    "worker",
    -- Which delivery of the job it is.
    "delivery",
    "type",
    -- 1: it goes on, 0: it has returned.
    "runs",
  },
  returns = [[OK]],
  whenFull = "runs",
})
local clock = require("../../platform/redis/now")
local stillRuns = require("../status/still-runs")

local kept, at = {}, clock.nowMs()
for _, note in ipairs(stillRuns.notesIn(redis.call("HGET", call.notes, call.jobId))) do
  local isThis = note.worker == call.worker and note.delivery == call.delivery
  if isThis then at = note.at else kept[#kept + 1] = note end
end
if call.runs == "1" then
  kept[#kept + 1] = { worker = call.worker, delivery = call.delivery, type = call.type, at = at }
end
if #kept == 0 then
  redis.call("HDEL", call.notes, call.jobId)
else
  redis.call("HSET", call.notes, call.jobId, cjson.encode(kept))
end
return redis.status_reply("OK")
