#!lua
--[[
  Makes each delayed job due earlier, also one that is held in its lane, as if time had passed, and wakes a worker. For tests.

  KEYS[1] delayed jobs; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] milliseconds

  Returns how many jobs are delayed
]]
-- @include ../core/bullmq/add/enqueue.lua

local found = redis.call("ZRANGE", KEYS[1], 0, -1, "WITHSCORES")
for at = 1, #found, 2 do
  redis.call("ZADD", KEYS[1], math.max(0, found[at + 1] - ARGV[2] * DUE_SCALE), found[at])
end
for _, id in ipairs(redis.call("ZRANGE", ARGV[1] .. "waiting-children", 0, -1)) do
  local mayRunAt = redis.call("HGET", ARGV[1] .. id, "heldAs")
  if mayRunAt then redis.call("HSET", ARGV[1] .. id, "heldAs", mayRunAt - ARGV[2]) end
end
if #found > 0 then wakeWorker(ARGV[1]) end
return #found / 2
