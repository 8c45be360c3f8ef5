--[[
  Withdraws a job scheduler from a BullMQ queue: keeps it under names of ours. The job of its next run stays. Atomic: a worker that
  has begun that job either added the run after it before, and then that is the next, or adds none.
]]
local call = command({
  keys = {
    -- Job schedulers.
    "schedulers",
    -- Those withdrawn: by id, when, their next run, and their jobs' type.
    "withdrawn",
  },
  arguments = {
    "prefix",
    "type",
    -- The scheduler's id.
    "id",
  },
  returns = [[1, or 0 if there is no such scheduler]],
  whenFull = "stops at its first write",
})

local start, typeName, id = call.prefix, call.type, call.id
local time = redis.call("TIME")
local now = time[1] .. string.format("%03d", math.floor(time[2] / 1000))

local nextRun = redis.call("ZSCORE", call.schedulers, id)
local key = call.schedulers .. ":" .. id
if not nextRun or redis.call("EXISTS", key) == 0 then return 0 end
redis.call("ZREM", call.schedulers, id)
redis.call("RENAME", key, start .. "holdfast:scheduler:" .. id)
redis.call("HSET", call.withdrawn, id, now .. " " .. string.format("%.0f", tonumber(nextRun)) .. " " .. typeName)
return 1
