-- The lane that holds a job, how many jobs are before it there, and the limit.
-- @include ./lanes.lua

readFeatures[#readFeatures + 1] = {
  name = "lanes",
  fields = {},
  read = function(prefix, id, isHeld)
    if not isHeld then return end
    local lane, limit = laneOf(prefix, id)
    local behind = lane and redis.call("ZRANK", prefix .. "lane:" .. lane, id)
    return behind and { lane, behind, tonumber(limit) }
  end,
}
