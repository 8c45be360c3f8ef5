-- Whoever claims a job starts it with its token. One that has none, such as a retried one, gets one first.
-- @include ../../core/bullmq/claim/deliveries.lua
-- @include ./let-in.lua

-- The token of a job's earlier start cools on under another name.
local function coolOn(prefix, key, id, score)
  redis.call("ZREM", key, id)
  if score < FIRST_HELD then redis.call("ZADD", key, score, id .. ":" .. deliveryCount(prefix, id)) end
end

-- `mayStartAt`: since when it has the token, if not from now on.
local function start(prefix, key, id, rate, mayStartAt, now)
  redis.call("ZADD", key, now + rate.windowMs, id)
  if lastHeld(key) then
    giveTokens(prefix, rate.hash, now)
  elseif now - mayStartAt > KEPT_MS / 2 then
    keep(key, rate.windowMs)
  end
end

claimFeatures[#claimFeatures + 1] = function(prefix, id, asks, now)
  local rate = rateIn(asks)
  if not rate then return false end
  local key, mayStartAt = rateKey(prefix, rate.hash), now
  local score = tonumber(redis.call("ZSCORE", key, id))
  if score and score < 0 then
    mayStartAt = -score
  elseif isToFail(prefix, id) then
    return false
  else
    if score then coolOn(prefix, key, id, score) end
    if not admit(prefix, id, rate, now) then return true end
  end
  if mayStartAt > now then
    -- Somebody has put it in line too early.
    holdJob(prefix, id, mayStartAt, now)
    letInAt(prefix, id, mayStartAt)
    return true
  end
  start(prefix, key, id, rate, mayStartAt, now)
  return false
end
