--[[
  Adds the jobs of one call. `call` is that of a script which is called as add-jobs.lua is.
]]
local epochs = require("../../../platform/redis/fitness/epoch")
local memory = require("../../../platform/redis/fitness/memory")
local place = require("./place-job")

-- A duplicate still gets the first job's id; reading needs no memory.
local function answerWithoutRoom(call, given, fields, count)
  local answers = {}
  for at = call.firstArgument, #given, fields do
    answers[#answers + 1] = redis.call("GET", call.prefix .. "de:" .. given[at + 5]) or 0
  end
  answers[#answers + 1] = count
  return answers
end

-- `given`: all of the script's arguments. `fields`: how many of them each job has. `add` gets what place-job.lua calls `placing`, and those of a job;
-- returns the answer for the job.
local function addAll(call, given, fields, add)
  local isSeen, count = epochs.isEpoch(call.epoch, call.epochId, call.epochCount)
  if not isSeen then return "other-epoch" end

  -- A check takes longer than adding a job, so only some jobs pay for one. The unchecked ones fit in the headroom.
  local sinceCheck = (redis.call("GET", call.sinceCheck) or call.checkEvery) + (#given - call.firstArgument + 1) / fields
  local isCheckDue = sinceCheck > tonumber(call.checkEvery)
  if isCheckDue and not memory.hasRoom() then return answerWithoutRoom(call, given, fields, count) end

  local placing = place.begin(call.prefix)
  local answers = {}
  for at = call.firstArgument, #given, fields do
    answers[#answers + 1] = add(placing, unpack(given, at, at + fields - 1))
  end
  place.finish(placing, #answers)
  redis.call("SET", call.sinceCheck, isCheckDue and 0 or sinceCheck)
  answers[#answers + 1] = epochs.countChange(call.epoch)
  return answers
end

return { addAll = addAll }
