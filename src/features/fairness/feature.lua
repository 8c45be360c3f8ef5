-- A job of a type with fairness has a turn.
local fairLine = require("./fairness")

local function place(placing, job, extras)
  if extras.fairness then redis.call("HSET", placing.prefix .. job.id, "turn", extras.fairness) end
end

local function addToLine(prefix, id, priority, extras)
  local turn
  if extras then turn = extras.fairness else turn = redis.call("HGET", prefix .. id, "turn") end
  if turn then fairLine.addFair(prefix, id, priority, turn) end
  return turn
end

return { place = place, line = addToLine }
