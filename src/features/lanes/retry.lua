-- @include ./let-in.lua

retryFeatures[#retryFeatures + 1] = function(prefix, id, now)
  local lane = laneOf(prefix, id)
  if lane then rejoinLane(prefix, id, lane, now) end
  return lane
end
