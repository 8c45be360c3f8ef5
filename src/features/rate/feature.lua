-- What a job with a rate does at the points of its path.
local claims = require("./claim")
local held = require("../../core/bullmq/held")
local lettingIn = require("./let-in")
local rates = require("./tokens")

-- A delayed job, and one that is held already, ask for a token when they are claimed.
local function place(placing, job, extras)
  local rate = extras.rate
  if not rate then return end
  rate.number = held.countAsking(placing.prefix)
  rates.writeAsks(placing.prefix, job.id, rate, rate.number)
  if job.isHeld or job.mayRunAt > placing.now then return end
  return not rates.admit(placing.prefix, job.id, rate, placing.now, placing.maxEvents)
end

local function claim(prefix, id, asks, now)
  return claims.holdsBack(prefix, id, asks, now)
end

local function ended(prefix, id, _, now)
  local asks = redis.call("HGET", prefix .. id, "asks")
  local rate = asks and rates.rateIn(asks)
  if rate then lettingIn.giveBack(prefix, id, rate, now) end
end

-- Its rate.
local FIELDS = { "asks" }

-- The key that holds a job, how many jobs are before it there, the limit, the window, and when the job may start.
local function read(prefix, id, isHeld, fields)
  local rate = isHeld and fields.asks and rates.rateIn(fields.asks)
  if not rate then return end
  local key = rates.rateKey(prefix, rate.hash)
  local score = redis.call("ZSCORE", key, id)
  if not score then return end
  local rank = tonumber(score)
  if rank < 0 then
    return "held", { rate.hash, redis.call("ZCOUNT", key, "(" .. score, "(0"), rate.limit, rate.windowMs, -rank }
  elseif rank >= rates.FIRST_HELD then
    local behind = redis.call("ZCOUNT", key, "-inf", "(0") + redis.call("ZCOUNT", key, rates.FIRST_HELD, "(" .. score)
    local latest = rates.heldRate(prefix, key) or rate
    return "held", { rate.hash, behind, latest.limit, latest.windowMs }
  end
end

local function coolTokens(key, ms)
  local tokens = redis.call("ZRANGEBYSCORE", key, "-inf", rates.BELOW_HELD, "WITHSCORES")
  for at = 1, #tokens, 2 do
    local score = tonumber(tokens[at + 1])
    redis.call("ZADD", key, score < 0 and math.min(score + ms, -1) or math.max(score - ms, 1), tokens[at])
  end
end

-- Makes each token usable earlier, as if time had passed. For tests: it looks for all keys.
local function passTime(prefix, ms)
  for _, key in ipairs(redis.call("KEYS", rates.rateKey(prefix, "*"))) do coolTokens(key, ms) end
end

return { place = place, claim = claim, ended = ended, fields = FIELDS, read = read, passTime = passTime }
