--[[
  Adds jobs to a queue, each unless another job has its deduplication key. Atomic: no key is held without its job.

  KEYS[1] epoch   KEYS[2] jobs added since the last memory check; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2], ARGV[3] id and count of the epoch that the producer has seen
  ARGV[4] how many jobs may be added between two memory checks
  ARGV[5…] for each job: id, name, data, options, deduplication key and its milliseconds, delay in milliseconds, priority,
    extras as place-job.lua has them

  Returns for each job the id of the job that has its key: false where it is this one, now added; 0 where there is no room.
  Then the epoch's count. "other-epoch" where nothing was done.
]]
-- @include ./place-job.lua
-- @include ../../../platform/redis/fitness/epoch.lua
-- @include ../../../platform/redis/fitness/memory.lua

local FIRST, FIELDS = 5, 9
local prefix = ARGV[1]

local isSeen, count = isEpoch(KEYS[1], ARGV[2], ARGV[3])
if not isSeen then return "other-epoch" end

-- A duplicate still gets the first job's id; reading needs no memory.
local function answerWithoutRoom()
  local answers = {}
  for at = FIRST, #ARGV, FIELDS do
    answers[#answers + 1] = redis.call("GET", prefix .. "de:" .. ARGV[at + 4]) or 0
  end
  answers[#answers + 1] = count
  return answers
end

-- A check takes longer than adding a job, so only some jobs pay for one. The unchecked ones fit in the headroom.
local sinceCheck = (redis.call("GET", KEYS[2]) or ARGV[4]) + (#ARGV - FIRST + 1) / FIELDS
local isCheckDue = sinceCheck > tonumber(ARGV[4])
if isCheckDue and not hasRoom() then return answerWithoutRoom() end

beginPlacing(prefix)
local answers = {}
for at = FIRST, #ARGV, FIELDS do
  answers[#answers + 1] = addJob(unpack(ARGV, at, at + FIELDS - 1))
end
finishPlacing(#answers)
redis.call("SET", KEYS[2], isCheckDue and 0 or sinceCheck)
answers[#answers + 1] = countChange(KEYS[1])
return answers
