-- Only jobs of a type with fairness have a turn.
-- @include ./fairness.lua

lineFeatures[#lineFeatures + 1] = function(prefix, id, priority, extras)
  local turn
  if extras then turn = extras.fairness else turn = redis.call("HGET", prefix .. id, "turn") end
  if turn then addFair(prefix, id, priority, turn) end
  return turn
end
