#!lua
--[[
  Cancels a job. One that waits is failed at once, without a worker. One that is active is marked: BullMQ fails a job
  that bears `defa` the next time it is taken; its worker is told over the channel to end this attempt.

  KEYS[1] the job's hash   KEYS[2] wait   KEYS[3] paused   KEYS[4] active   KEYS[5] delayed   KEYS[6] prioritized
  KEYS[7] completed        KEYS[8] failed   KEYS[9] events
  ARGV[1] job id   ARGV[2] the reason, as it is kept with the job   ARGV[3] channel of the queue's cancellations

  Returns "cancelled", "cancelling", "ended" or "missing"
]]
local id = ARGV[1]
if redis.call("EXISTS", KEYS[1]) == 0 then return "missing" end
if redis.call("ZSCORE", KEYS[7], id) or redis.call("ZSCORE", KEYS[8], id) then return "ended" end
if redis.call("LPOS", KEYS[4], id) then
  redis.call("HSET", KEYS[1], "defa", ARGV[2])
  redis.call("PUBLISH", ARGV[3], id)
  return "cancelling"
end

local removed = redis.call("ZREM", KEYS[5], id) + redis.call("ZREM", KEYS[6], id)
-- Long lists are searched from the end where the next jobs are taken.
if removed == 0 then removed = redis.call("LREM", KEYS[2], -1, id) end
if removed == 0 then redis.call("LREM", KEYS[3], -1, id) end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("ZADD", KEYS[8], now, id)
redis.call("HSET", KEYS[1], "failedReason", ARGV[2], "finishedOn", now)
redis.call("XADD", KEYS[9], "*", "event", "failed", "jobId", id, "failedReason", ARGV[2], "prev", "waiting")
return "cancelled"
