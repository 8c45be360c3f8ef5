--[[
  Writes the layout of a queue's partitions with the epoch of one of them, unless it has changed meanwhile.

  KEYS[1] epoch
  ARGV[1] the layout that was found ("" for none)   ARGV[2] the new one

  Returns the layout that stands there now
]]
local found = redis.call("HGET", KEYS[1], "layout") or ""
if found ~= ARGV[1] then return found end
redis.call("HSET", KEYS[1], "layout", ARGV[2])
return ARGV[2]
