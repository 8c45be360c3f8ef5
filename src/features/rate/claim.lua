-- Whoever claims a job starts it with its token. One that has none, such as a retried one, gets one first.
-- @include ../../core/bullmq/job-state.lua
-- @include ./let-in.lua

-- The token of a job's earlier start cools on under another name.
local function setAside(prefix, key, id, score)
  redis.call("ZREM", key, id)
  if score < FIRST_HELD then redis.call("ZADD", key, score, id .. ":" .. deliveryCount(prefix, id)) end
end

local function start(prefix, key, id, rate, now)
  redis.call("ZADD", key, now + rate.windowMs, id)
  if isAnyHeld(key) then
    giveTokens(prefix, rate.hash, now)
  else
    redis.call("PEXPIRE", key, rate.windowMs + KEPT_MS, "GT")
  end
end

claimFeatures[#claimFeatures + 1] = function(prefix, id, asks, now)
  local rate = rateIn(asks)
  if not rate then return false end
  local key = rateKey(prefix, rate.hash)
  local score = tonumber(redis.call("ZSCORE", key, id))
  if score and -score > now then
    -- Somebody has put it in line too early.
    holdJob(prefix, id, -score, now)
    letInAt(prefix, id, -score)
    return true
  end
  if not score or score > 0 then
    if isToFail(prefix, id) then return false end
    if score then setAside(prefix, key, id, score) end
    if not admit(prefix, id, rate, now) then return true end
  end
  start(prefix, key, id, rate, now)
  return false
end
