-- Whoever claims a job starts it with its token. One that has none, such as a retried one, gets one first.
local deliveries = require("../../core/bullmq/claim/deliveries")
local held = require("../../core/bullmq/held")
local lettingIn = require("./let-in")
local rates = require("./tokens")

-- The token of a job's earlier start cools on under another name.
local function coolOn(prefix, key, id, score)
  redis.call("ZREM", key, id)
  if score < rates.FIRST_HELD then redis.call("ZADD", key, score, id .. ":" .. deliveries.deliveryCount(prefix, id)) end
end

-- `mayStartAt`: since when it has the token, if not from now on.
local function start(prefix, key, id, rate, mayStartAt, now)
  redis.call("ZADD", key, now + rate.windowMs, id)
  if rates.lastHeld(key) then
    lettingIn.giveTokens(prefix, rate.hash, now)
  elseif now - mayStartAt > rates.KEPT_MS / 2 then
    rates.keep(key, rate.windowMs)
  end
end

local function holdsBack(prefix, id, asks, now)
  local rate = rates.rateIn(asks)
  if not rate then return false end
  local key, mayStartAt = rates.rateKey(prefix, rate.hash), now
  local score = tonumber(redis.call("ZSCORE", key, id))
  if score and score < 0 then
    mayStartAt = -score
  elseif deliveries.isToFail(prefix, id) then
    return false
  else
    if score then coolOn(prefix, key, id, score) end
    if not rates.admit(prefix, id, rate, now) then return true end
  end
  if mayStartAt > now then
    -- Somebody has put it in line too early.
    held.holdJob(prefix, id, mayStartAt, now)
    held.letInAt(prefix, id, mayStartAt)
    return true
  end
  start(prefix, key, id, rate, mayStartAt, now)
  return false
end

return { holdsBack = holdsBack }
