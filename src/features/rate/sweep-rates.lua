--[[
  Does what no claim did: lets in held jobs whose time has come, and passes on the tokens of jobs that have ended, were removed, or were started by another
  tool. Looks at the keys where a job is held, the most overdue first. Atomic for each key. Any number of workers may run it at once.
]]
local call = command({
  keys = {
    -- Keys where a job is held.
    "rates",
  },
  arguments = {
    "prefix",
    -- How many keys to look at.
    "most",
    -- How many tokens to look at.
    "tokensMax",
    -- How many to give, in all of these keys together.
    "givenMax",
  },
  returns = [[how many it looked at, and how many jobs got a token]],
  whenFull = "runs",
})
local states = require("../../core/bullmq/job-state")
local dueJobs = require("../../core/bullmq/let-due-in")
local names = require("../../core/bullmq/names")
local clock = require("../../platform/redis/now")
local lettingIn = require("./let-in")
local rates = require("./tokens")

-- With many keys each is looked at less often, so that all of them together take a hundredth of Redis's time.
local LOOK_MS_EACH = 2
local prefix, now, count = call.prefix, clock.nowMs(), 0
local lookAfterMs = math.max(rates.LOOK_MS, LOOK_MS_EACH * redis.call("ZCARD", call.rates))

-- Looks at a job that could have started for a while.
local function dropToken(key, id, mayStartAt)
  local asks, startedAt = unpack(redis.call("HMGET", prefix .. id, "asks", names.STARTED_AT))
  if asks and (tonumber(startedAt) or 0) >= mayStartAt then
    -- A worker that knows no rates has started it.
    redis.call("ZADD", key, startedAt + rates.rateIn(asks).windowMs, id)
  elseif not asks or states.hasCompleted(prefix, id) or names.hasFailed(prefix, id) then
    redis.call("ZREM", key, id)
  end
end

-- Where more than `most` wait, it looks at some of them: which, the time decides.
local function dropTokens(key, most)
  local first = redis.call("ZCOUNT", key, "-inf", "(" .. rates.LOOK_MS - now)
  local last = redis.call("ZCOUNT", key, "-inf", "(0") - 1
  if last < first then return end
  first = first + redis.call("TIME")[2] % math.ceil((last + 1 - first) / most) * most
  local waiting = redis.call("ZRANGE", key, first, math.min(last, first + most - 1), "WITHSCORES")
  for at = 1, #waiting, 2 do dropToken(key, waiting[at], -waiting[at + 1]) end
end

-- Jobs that an earlier limit gave a later start are held again, in order; their tokens cool on. The latest start first.
local function askAgain(key, most)
  local latest = rates.heldRate(prefix, key)
  if not latest then return end
  local found = redis.call("ZRANGEBYSCORE", key, "-inf", "(" .. -now, "WITHSCORES", "LIMIT", 0, most)
  for at = 1, #found, 2 do
    local id, mayStartAt = found[at], -found[at + 1]
    local asks = redis.call("HGET", prefix .. id, "asks")
    local own = asks and rates.rateIn(asks)
    if own and own.limit == latest.limit and own.windowMs == latest.windowMs then return end
    if own then
      local readyAt = math.min(mayStartAt, now + latest.windowMs)
      redis.call("ZADD", key, rates.FIRST_HELD + own.number, id, readyAt, id .. ":" .. mayStartAt)
      redis.call("ZREM", prefix .. "held:due", id)
    end
  end
end

dueJobs.letDueIn(prefix, now)
local keys = redis.call("ZRANGEBYSCORE", call.rates, "-inf", now, "LIMIT", 0, call.most)
local looks, steps = math.ceil(call.tokensMax / #keys), math.ceil(call.givenMax / #keys)
for _, hash in ipairs(keys) do
  dropTokens(rates.rateKey(prefix, hash), looks)
  askAgain(rates.rateKey(prefix, hash), steps)
  local given = lettingIn.giveTokens(prefix, hash, now, steps)
  count = count + given
  redis.call("ZADD", call.rates, "XX", given == steps and now or now + lookAfterMs, hash)
end
return { #keys, count }
