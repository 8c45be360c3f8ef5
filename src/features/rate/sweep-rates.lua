#!lua flags=allow-oom
--[[
  Does what no claim did: lets in held jobs whose time has come, and gives on the tokens of jobs that have ended, were removed, or were started by another
  tool. Looks at the keys where a job is held, the most overdue first. Atomic for each key. Any number of workers may run it at once.

  KEYS[1] keys where a job is held; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] how many keys to look at

  Returns how many it looked at, and how many jobs got a token
]]
-- @include ../../core/bullmq/job-state.lua
-- @include ../../core/bullmq/let-due-in.lua
-- @include ../../core/bullmq/names.lua
-- @include ../../platform/redis/now.lua
-- @include ./let-in.lua

-- With many keys each is looked at less often, so that all of them together take a hundredth of Redis's time.
local LOOK_MS_EACH = 2
local prefix, now, count = ARGV[1], nowMs(), 0
local lookAfterMs = math.max(LOOK_MS, LOOK_MS_EACH * redis.call("ZCARD", KEYS[1]))

-- A worker that knows no rates has started it, unless nil.
local function startedAt(id, mayStartAt)
  local at = tonumber(redis.call("HGET", prefix .. id, STARTED_AT))
  return at and at >= mayStartAt and at
end

local function hasGone(id)
  if not jobExists(prefix, id) then return true end
  return hasEnded((jobState(prefix, id)))
end

-- Looks at a job that could have started for a while.
local function dropToken(key, id, mayStartAt)
  local asks = redis.call("HGET", prefix .. id, "asks")
  local started = asks and startedAt(id, mayStartAt)
  if started then
    redis.call("ZADD", key, started + rateIn(asks).windowMs, id)
  elseif hasGone(id) then
    redis.call("ZREM", key, id)
  end
end

local function dropTokens(key)
  local waiting = redis.call("ZRANGEBYSCORE", key, LOOK_MS - now, "(0", "WITHSCORES")
  for at = 1, #waiting, 2 do dropToken(key, waiting[at], -waiting[at + 1]) end
end

letDueIn(prefix, now)
local keys = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, ARGV[2])
for _, hash in ipairs(keys) do
  dropTokens(rateKey(prefix, hash))
  count = count + giveTokens(prefix, hash, now)
  redis.call("ZADD", KEYS[1], "XX", now + lookAfterMs, hash)
end
return { #keys, count }
