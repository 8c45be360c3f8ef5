#!lua
--[[
  Makes each delayed job due earlier, as if time had passed, and wakes a worker. For tests.

  KEYS[1] delayed jobs; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] milliseconds

  Returns how many jobs are delayed
]]
local found = redis.call("ZRANGE", KEYS[1], 0, -1, "WITHSCORES")
for at = 1, #found, 2 do
  redis.call("ZADD", KEYS[1], math.max(0, found[at + 1] - ARGV[2] * DUE_SCALE), found[at])
end
if #found > 0 then wakeWorker(ARGV[1]) end
return #found / 2
