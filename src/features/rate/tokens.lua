--[[
  The tokens of a rate key, as the sorted set `rate:<hash>`. `prefix` is what all keys of the queue begin with.

  A key has as many tokens as its limit. Each start takes one, which then cools for the window. So a window lies between two starts with
  one token, and none has more starts than the limit, wherever it begins.

  Scores: below 0, the job has a token, and may start from -score on, in milliseconds since 1970; above, a token cools until then; from
  FIRST_HELD on, jobs are held, in order of submission. Members are ids of jobs; `<id>:<which>` is the token of an earlier start.

  A job's field `asks` is its key's hash, limit, window in milliseconds, and its number in order of submission. All held jobs of a key go by
  the limit and window of the one that was submitted last, and note them when they get a token.
  `rates` has the keys where a job is held, scored by when the sweep looks at them. Other keys expire.
]]
local held = require("../../core/bullmq/held")

local FIRST_HELD, BELOW_HELD = 100000000000000, "(100000000000000"
-- When the sweep looks for tokens that nobody uses.
local LOOK_MS = 2000
-- A key is kept for longer than its tokens cool, since its jobs can wait in line; without it they ask again.
local KEPT_MS, LONGEST_WINDOW_MS = 3600000, 86400000

local function rateIn(asks)
  local hash, limit, windowMs, number = string.match(asks, "^(%S+) (%d+) (%d+) (%d+)$")
  return hash and { hash = hash, limit = tonumber(limit), windowMs = tonumber(windowMs), number = tonumber(number) }
end

local function rateKey(prefix, hash)
  return prefix .. "rate:" .. hash
end

local function writeAsks(prefix, id, rate, number)
  redis.call("HSET", prefix .. id, "asks", table.concat({ rate.hash, rate.limit, rate.windowMs, number }, " "))
end

-- The held job of a key that was submitted last; nil where none is held.
local function lastHeld(key)
  local id, score = unpack(redis.call("ZREVRANGE", key, 0, 0, "WITHSCORES"))
  return id and tonumber(score) >= FIRST_HELD and id or nil
end

-- What the held jobs of a key go by; nil where none is held, or another tool has removed the last one.
local function heldRate(prefix, key)
  local id = lastHeld(key)
  local asks = id and redis.call("HGET", prefix .. id, "asks")
  return asks and rateIn(asks)
end

-- The key must outlive its cooling tokens.
local function keep(key, ms, isNew)
  if isNew then redis.call("PEXPIRE", key, ms + KEPT_MS) else redis.call("PEXPIRE", key, ms + KEPT_MS, "GT") end
end

-- Gives a job a token: a new one, or the first that cools while so few others are in use. Returns when the job may start, nil where there
-- is none; and how many tokens there were. One that cools for a longer window, as of a limit before, is ready after this one.
local function takeToken(key, id, rate, now)
  local count, mayStartAt = redis.call("ZCOUNT", key, "-inf", BELOW_HELD), now
  if count >= rate.limit then
    local cooling = redis.call("ZRANGEBYSCORE", key, "(0", BELOW_HELD, "WITHSCORES", "LIMIT", count - rate.limit, 1)
    if not cooling[1] then return nil, count end
    redis.call("ZREM", key, cooling[1])
    mayStartAt = math.min(tonumber(cooling[2]), now + rate.windowMs)
  end
  redis.call("ZADD", key, -mayStartAt, id)
  return mayStartAt, count
end

-- Gives a job that has no token one, or holds it. Returns whether it may start now.
local function admit(prefix, id, rate, now, maxEvents)
  local key, mayStartAt = rateKey(prefix, rate.hash), nil
  local count = redis.call("ZCARD", key)
  local isBehind = count > 0 and lastHeld(key)
  if not isBehind and count < rate.limit then
    -- Whatever cools there: there is one more token.
    redis.call("ZADD", key, -now, id)
    mayStartAt = now
  elseif not isBehind then
    redis.call("ZREMRANGEBYSCORE", key, "(0", now)
    mayStartAt, count = takeToken(key, id, rate, now)
  end
  if not mayStartAt then
    redis.call("ZADD", key, FIRST_HELD + rate.number, id)
    redis.call("PERSIST", key)
    redis.call("ZADD", prefix .. "rates", "NX", now + LOOK_MS, rate.hash)
    held.holdJob(prefix, id, now, now, maxEvents)
    return false
  end
  keep(key, mayStartAt - now + rate.windowMs, count == 0)
  if mayStartAt == now then return true end
  held.holdJob(prefix, id, mayStartAt, now, maxEvents)
  held.letInAt(prefix, id, mayStartAt)
  return false
end

return {
  FIRST_HELD = FIRST_HELD,
  BELOW_HELD = BELOW_HELD,
  LOOK_MS = LOOK_MS,
  KEPT_MS = KEPT_MS,
  LONGEST_WINDOW_MS = LONGEST_WINDOW_MS,
  rateIn = rateIn,
  rateKey = rateKey,
  writeAsks = writeAsks,
  lastHeld = lastHeld,
  heldRate = heldRate,
  keep = keep,
  takeToken = takeToken,
  admit = admit,
}
