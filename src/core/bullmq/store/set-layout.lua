--[[
  Writes the layout of a queue's partitions with the epoch of one of them, unless it has changed meanwhile.
]]
local call = command({
  keys = { "epoch" },
  arguments = {
    -- The layout that was found ("" for none).
    "before",
    -- The new one.
    "after",
  },
  returns = [[the layout that stands there now]],
  whenFull = "stops at its first write",
})

local found = redis.call("HGET", call.epoch, "layout") or ""
if found ~= call.before then return found end
redis.call("HSET", call.epoch, "layout", call.after)
return call.after
