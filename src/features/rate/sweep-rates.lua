#!lua flags=allow-oom
--[[
  Does what no claim did: lets in held jobs whose time has come, and passes on the tokens of jobs that have ended, were removed, or were started by another
  tool. Looks at the keys where a job is held, the most overdue first. Atomic for each key. Any number of workers may run it at once.

  KEYS[1] keys where a job is held; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] how many keys to look at
  ARGV[3] how many tokens to look at, and   ARGV[4] how many to give, in all of these keys together

  Returns how many it looked at, and how many jobs got a token
]]
-- @include ../../core/bullmq/job-facts.lua
-- @include ../../core/bullmq/let-due-in.lua
-- @include ../../core/bullmq/names.lua
-- @include ../../platform/redis/now.lua
-- @include ./let-in.lua

-- With many keys each is looked at less often, so that all of them together take a hundredth of Redis's time.
local LOOK_MS_EACH = 2
local prefix, now, count = ARGV[1], nowMs(), 0
local lookAfterMs = math.max(LOOK_MS, LOOK_MS_EACH * redis.call("ZCARD", KEYS[1]))

-- Looks at a job that could have started for a while.
local function dropToken(key, id, mayStartAt)
  local asks, startedAt = unpack(redis.call("HMGET", prefix .. id, "asks", STARTED_AT))
  if asks and (tonumber(startedAt) or 0) >= mayStartAt then
    -- A worker that knows no rates has started it.
    redis.call("ZADD", key, startedAt + rateIn(asks).windowMs, id)
  elseif not asks or hasCompleted(prefix, id) or hasFailed(prefix, id) then
    redis.call("ZREM", key, id)
  end
end

-- Where more than `most` wait, it looks at some of them: which, the time decides.
local function dropTokens(key, most)
  local first = redis.call("ZCOUNT", key, "-inf", "(" .. LOOK_MS - now)
  local last = redis.call("ZCOUNT", key, "-inf", "(0") - 1
  if last < first then return end
  first = first + redis.call("TIME")[2] % math.ceil((last + 1 - first) / most) * most
  local waiting = redis.call("ZRANGE", key, first, math.min(last, first + most - 1), "WITHSCORES")
  for at = 1, #waiting, 2 do dropToken(key, waiting[at], -waiting[at + 1]) end
end

-- Jobs that an earlier limit gave a later start are held again, in order; their tokens cool on. The latest start first.
local function askAgain(key, most)
  local latest = heldRate(prefix, key)
  if not latest then return end
  local found = redis.call("ZRANGEBYSCORE", key, "-inf", "(" .. -now, "WITHSCORES", "LIMIT", 0, most)
  for at = 1, #found, 2 do
    local id, mayStartAt = found[at], -found[at + 1]
    local asks = redis.call("HGET", prefix .. id, "asks")
    local own = asks and rateIn(asks)
    if own and own.limit == latest.limit and own.windowMs == latest.windowMs then return end
    if own then
      local readyAt = math.min(mayStartAt, now + latest.windowMs)
      redis.call("ZADD", key, FIRST_HELD + own.number, id, readyAt, id .. ":" .. mayStartAt)
      redis.call("ZREM", prefix .. "held:due", id)
    end
  end
end

letDueIn(prefix, now)
local keys = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, ARGV[2])
local looks, steps = math.ceil(ARGV[3] / #keys), math.ceil(ARGV[4] / #keys)
for _, hash in ipairs(keys) do
  dropTokens(rateKey(prefix, hash), looks)
  askAgain(rateKey(prefix, hash), steps)
  local given = giveTokens(prefix, hash, now, steps)
  count = count + given
  redis.call("ZADD", KEYS[1], "XX", given == steps and now or now + lookAfterMs, hash)
end
return { #keys, count }
