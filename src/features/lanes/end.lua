-- @include ./let-in.lua

endFeatures[#endFeatures + 1] = function(prefix, id, _, now)
  local lane = laneOf(prefix, id)
  if lane then leaveLane(prefix, id, lane, now) end
end
