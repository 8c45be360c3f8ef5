-- The lane that holds a job, how many jobs are before it there, and the limit.
-- @include ./lanes.lua

readFeatures[#readFeatures + 1] = {
  name = "held",
  read = function(prefix, id, isHeld)
    if not isHeld then return end
    local lane, limit = laneOf(prefix, id)
    local score = lane and redis.call("ZSCORE", prefix .. "lane:" .. lane, id)
    -- One that is under way can be held by something else.
    if not score or tonumber(score) == 0 then return end
    return { lane, redis.call("ZRANK", prefix .. "lane:" .. lane, id), tonumber(limit) }
  end,
}
