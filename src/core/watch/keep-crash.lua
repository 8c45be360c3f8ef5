--[[
  Stores with a job that its worker was found lost, unless the job is gone. The latest ones stay. Atomic: the worker is read before another
  claims the job; where one has already, which it was is no longer known.

  KEYS[1] the job, whose lock has the same slot   ARGV[1] prefix of the fields   ARGV[2] how many stay   ARGV[3] when, in milliseconds

  Returns OK
]]
-- @include ../bullmq/names.lua

local job, most = KEYS[1], tonumber(ARGV[2])
if redis.call("EXISTS", job) == 0 then return redis.status_reply("OK") end
local worker = lostWorker(job)
local number = redis.call("HINCRBY", job, "crashesKept", 1)
redis.call("HSET", job, ARGV[1] .. number % most, cjson.encode({ at = tonumber(ARGV[3]), worker = worker }))
return redis.status_reply("OK")
