--[[
  Gives the free and cooling tokens of a key to its held jobs, in order.
]]
local held = require("../../core/bullmq/held")
local rates = require("./tokens")

-- The sweep goes on with the rest.
local LET_IN_STEPS = 100

-- Returns how many jobs got a token, at most `steps`. Those that may start at once are let in by the next claim.
local function giveTokens(prefix, hash, now, steps)
  local key, count = rates.rateKey(prefix, hash), 0
  redis.call("ZREMRANGEBYSCORE", key, "(0", now)
  local latest = rates.heldRate(prefix, key)
  for _ = 1, steps or LET_IN_STEPS do
    local id = redis.call("ZRANGEBYSCORE", key, rates.FIRST_HELD, "+inf", "LIMIT", 0, 1)[1]
    if not id then
      redis.call("ZREM", prefix .. "rates", hash)
      redis.call("PEXPIRE", key, rates.LONGEST_WINDOW_MS + rates.KEPT_MS)
      return count
    end
    local asks, heldAs = unpack(redis.call("HMGET", prefix .. id, "asks", "heldAs"))
    if not asks or not heldAs then
      -- Another tool has removed it, or put it in line.
      redis.call("ZREM", key, id)
    else
      local own = rates.rateIn(asks)
      local rate = latest or own
      local mayStartAt = rates.takeToken(key, id, rate, now)
      if not mayStartAt then return count end
      if rate.limit ~= own.limit or rate.windowMs ~= own.windowMs then rates.writeAsks(prefix, id, rate, own.number) end
      held.letInAt(prefix, id, mayStartAt)
      count = count + 1
    end
  end
  return count
end

-- Passes on the token of a job that ended, or is held, before it started.
local function giveBack(prefix, id, rate, now)
  local key = rates.rateKey(prefix, rate.hash)
  local score = tonumber(redis.call("ZSCORE", key, id))
  if not score or (score > 0 and score < rates.FIRST_HELD) then return end
  if -score > now then redis.call("ZADD", key, -score, id) else redis.call("ZREM", key, id) end
  if score < 0 and rates.lastHeld(key) then giveTokens(prefix, rate.hash, now) end
end

return { giveTokens = giveTokens, giveBack = giveBack }
