--[[
  Withdraws a job scheduler from a BullMQ queue: keeps it under names of ours. The job of its next run stays. Atomic: a worker that
  has begun that job either added the run after it before, and then that is the next, or adds none.

  KEYS[1] job schedulers   KEYS[2] those withdrawn: by id, when, their next run, and their jobs' type; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] the type   ARGV[3] the scheduler's id

  Returns 1, or 0 if there is no such scheduler
]]
local start, type, id = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call("TIME")
local now = time[1] .. string.format("%03d", math.floor(time[2] / 1000))

local nextRun = redis.call("ZSCORE", KEYS[1], id)
local key = KEYS[1] .. ":" .. id
if not nextRun or redis.call("EXISTS", key) == 0 then return 0 end
redis.call("ZREM", KEYS[1], id)
redis.call("RENAME", key, start .. "holdfast:scheduler:" .. id)
redis.call("HSET", KEYS[2], id, now .. " " .. string.format("%.0f", tonumber(nextRun)) .. " " .. type)
return 1
