--[[
  Adds jobs to a queue, each unless another job has its deduplication key. Atomic: no key is held without its job.
]]
local call = command({
  keys = {
    "epoch",
    -- Jobs added since the last memory check.
    "sinceCheck",
  },
  arguments = {
    "prefix",
    "epochId",
    "epochCount",
    -- How many jobs may be added between two memory checks.
    "checkEvery",
    -- For each job: id, name, data, key as envelope.ts has it, options, deduplication key and its milliseconds, delay in milliseconds, priority,
    -- extras as place-job.lua has them.
    "...",
  },
  returns = [[for each job what has its key, as keyHolder in job-id.ts reads it: false where it is this job, now added; 0 where there is no room.
    Then the epoch's count. "other-epoch" where nothing was done.]],
  whenFull = "stops at its first write",
})
local adding = require("./add-all")
local place = require("./place-job")

local FIELDS = 10
return adding.addAll(call, ARGV, FIELDS, place.addJob)
