--[[
  Adds the jobs of one call. Included by scripts that are called as add-jobs.lua is.
]]
-- @include ./place-job.lua
-- @include ../../../platform/redis/fitness/epoch.lua
-- @include ../../../platform/redis/fitness/memory.lua

local FIRST = 5

-- A duplicate still gets the first job's id; reading needs no memory.
local function answerWithoutRoom(fields, count)
  local answers = {}
  for at = FIRST, #ARGV, fields do
    answers[#answers + 1] = redis.call("GET", ARGV[1] .. "de:" .. ARGV[at + 5]) or 0
  end
  answers[#answers + 1] = count
  return answers
end

-- `fields`: how many arguments each job has. `add` gets them, and returns the answer for the job.
local function addAll(fields, add)
  local prefix = ARGV[1]
  local isSeen, count = isEpoch(KEYS[1], ARGV[2], ARGV[3])
  if not isSeen then return "other-epoch" end

  -- A check takes longer than adding a job, so only some jobs pay for one. The unchecked ones fit in the headroom.
  local sinceCheck = (redis.call("GET", KEYS[2]) or ARGV[4]) + (#ARGV - FIRST + 1) / fields
  local isCheckDue = sinceCheck > tonumber(ARGV[4])
  if isCheckDue and not hasRoom() then return answerWithoutRoom(fields, count) end

  beginPlacing(prefix)
  local answers = {}
  for at = FIRST, #ARGV, fields do
    answers[#answers + 1] = add(unpack(ARGV, at, at + fields - 1))
  end
  finishPlacing(#answers)
  redis.call("SET", KEYS[2], isCheckDue and 0 or sinceCheck)
  answers[#answers + 1] = countChange(KEYS[1])
  return answers
end
