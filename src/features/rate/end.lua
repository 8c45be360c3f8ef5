-- @include ./let-in.lua

endFeatures[#endFeatures + 1] = function(prefix, id, _, now)
  local asks = redis.call("HGET", prefix .. id, "asks")
  local rate = asks and rateIn(asks)
  if rate then giveBack(prefix, id, rate, now) end
end
