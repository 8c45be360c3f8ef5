--[[
  Reads which parents wait for a job that has not ended. Atomic: its state and its parents are of one moment.
]]
local call = command({
  keys = { "job" },
  arguments = { "prefix", "id" },
  returns = [[the ids of the parents]],
  whenFull = "stops at its first write",
})
local facts = require("../../core/bullmq/job-facts")
local states = require("../../core/bullmq/job-state")
local flows = require("./flow")

local prefix, id = call.prefix, call.id
local awaiting = {}
if not facts.jobExists(prefix, id) or facts.hasEnded(states.jobState(prefix, id)) then return awaiting end
for _, parent in ipairs(flows.parentsOf(prefix, id)) do
  if redis.call("SISMEMBER", prefix .. parent.id .. ":dependencies", call.job) == 1 then awaiting[#awaiting + 1] = parent.id end
end
return awaiting
