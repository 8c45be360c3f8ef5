#!lua
--[[
  Renews one job's lock, as BullMQ's extendLock does. That one also takes the job off the set of stalled ones, which only saves
  the next check a look at the lock; this one touches its own key alone, so it works while a cluster moves the queue's slot.

  KEYS[1] the lock   ARGV[1] its token   ARGV[2] milliseconds

  Returns whether the lock was this token's: 1 or 0
]]
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1
