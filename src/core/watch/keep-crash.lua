--[[
  Stores with a job that its worker was found lost, unless the job is gone. The latest ones stay. Atomic: the worker is read before another
  claims the job; where one has already, which it was is no longer known.
]]
local call = command({
  keys = {
    -- The job, whose lock has the same slot.
    "job",
  },
  arguments = {
    -- Prefix of the fields.
    "fieldPrefix",
    -- How many stay.
    "recordsMax",
    -- When, in milliseconds.
    "at",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})
local names = require("../bullmq/names")

local job, most = call.job, tonumber(call.recordsMax)
if redis.call("EXISTS", job) == 0 then return redis.status_reply("OK") end
local worker = names.lostWorker(job)
local number = redis.call("HINCRBY", job, "crashesKept", 1)
redis.call("HSET", job, call.fieldPrefix .. number % most, cjson.encode({ at = tonumber(call.at), worker = worker }))
return redis.status_reply("OK")
