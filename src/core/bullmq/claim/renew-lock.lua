--[[
  Renews one job's lock, as BullMQ's extendLock does. That one also takes the job off the set of stalled ones, which only saves
  the next check a look at the lock; this one touches its own key alone, so it works while a cluster moves the queue's slot.
]]
local call = command({
  keys = { "lock" },
  arguments = {
    -- Its token.
    "token",
    -- Milliseconds.
    "ms",
  },
  returns = [[whether the lock was this token's: 1 or 0]],
  whenFull = "is refused",
})

if redis.call("GET", call.lock) ~= call.token then return 0 end
redis.call("SET", call.lock, call.token, "PX", call.ms)
return 1
