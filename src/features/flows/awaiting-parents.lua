--[[
  Reads which parents wait for a job that has not ended. Atomic: its state and its parents are of one moment.

  KEYS[1] the job; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] job id

  Returns the ids of the parents
]]
-- @include ./flow.lua
-- @include ../../core/bullmq/job-facts.lua

local prefix, id = ARGV[1], ARGV[2]
local awaiting = {}
if not jobExists(prefix, id) or hasEnded(jobState(prefix, id)) then return awaiting end
for _, parent in ipairs(parentsOf(prefix, id)) do
  if redis.call("SISMEMBER", prefix .. parent.id .. ":dependencies", KEYS[1]) == 1 then awaiting[#awaiting + 1] = parent.id end
end
return awaiting
