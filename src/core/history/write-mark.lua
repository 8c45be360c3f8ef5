--[[
  Adds a mark to a queue's charts, unless the latest ones have the same kind and are younger than a given time: a wave of
  restarts is one mark. Atomic: of many workers that start at once, one adds it.
]]
local call = command({
  keys = {
    -- Marks (stream).
    "marks",
  },
  arguments = {
    "kind",
    -- Text, encrypted where there are keys.
    "text",
    -- By whom.
    "by",
    -- Milliseconds.
    "windowMs",
    -- How many marks are kept.
    "marksMax",
  },
  returns = [[1 if it was added]],
  whenFull = "stops at its first write",
})
local clock = require("../../platform/redis/now")

local RECENT = 20

for _, entry in ipairs(redis.call("XREVRANGE", call.marks, "+", clock.nowMs() - call.windowMs, "COUNT", RECENT)) do
  if entry[2][2] == call.kind then return 0 end
end
redis.call("XADD", call.marks, "MAXLEN", call.marksMax, "*", "kind", call.kind, "coded", call.text, "by", call.by)
return 1
