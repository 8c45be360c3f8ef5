-- The key that holds a job, how many jobs are before it there, the limit, the window, and when the job may start.
-- @include ./tokens.lua

readFeatures[#readFeatures + 1] = {
  name = "held",
  read = function(prefix, id, isHeld, fields)
    local rate = isHeld and fields.asks and rateIn(fields.asks)
    if not rate then return end
    local key = rateKey(prefix, rate.hash)
    local score = redis.call("ZSCORE", key, id)
    if not score then return end
    local place = tonumber(score)
    if place < 0 then
      return { rate.hash, redis.call("ZCOUNT", key, "(" .. score, "(0"), rate.limit, rate.windowMs, -place }
    elseif place >= FIRST_HELD then
      local behind = redis.call("ZCOUNT", key, "-inf", "(0") + redis.call("ZCOUNT", key, FIRST_HELD, "(" .. score)
      local latest = heldRate(prefix, key) or rate
      return { rate.hash, behind, latest.limit, latest.windowMs }
    end
  end,
}
