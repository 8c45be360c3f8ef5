--[[
  Looks at curbs that have jobs, the most overdue first: lets in those that a curb no longer holds back, and forgets those that are gone.
  Atomic for each curb. Any number of workers may run it at once.
]]
local call = command({
  keys = {
    -- Those that have jobs.
    "curbing",
  },
  arguments = {
    "prefix",
    -- How many curbs to look at.
    "most",
    -- How many jobs of each to let in.
    "letInMost",
  },
  returns = [[how many it looked at, how many jobs it let in, and 1 if it may look again at once]],
  whenFull = "runs",
})
local clock = require("../../platform/redis/now")
local held = require("../bullmq/held")
local curbs = require("../bullmq/curb/curbs")

local SAMPLE = 50
local prefix, now, count, again = call.prefix, clock.nowMs(), 0, 0

-- Other tools remove jobs without a word to us, and people cancel held ones.
local function dropGone(key)
  local found = redis.call("ZRANDMEMBER", key, SAMPLE, "WITHSCORES")
  for at = 1, #found, 2 do
    local isGone = tonumber(found[at + 1]) > 0 and not held.isHeld(prefix, found[at])
    if isGone then redis.call("ZREM", key, found[at]) end
  end
end

local names = redis.call("ZRANGEBYSCORE", call.curbing, "-inf", now, "LIMIT", 0, call.most)
for _, name in ipairs(names) do
  local key = curbs.jobsKey(prefix, name)
  dropGone(key)
  local letIn, isHeld = curbs.letIn(prefix, name, now, tonumber(call.letInMost))
  count = count + letIn
  -- What was let run under a limit that is no more.
  if not isHeld and redis.call("HEXISTS", prefix .. "curbs", name) == 0 then redis.call("DEL", key) end
  if redis.call("EXISTS", key) == 0 then
    redis.call("ZREM", call.curbing, name)
  else
    local isMore = isHeld and letIn == tonumber(call.letInMost)
    if isMore then again = 1 end
    redis.call("ZADD", call.curbing, isMore and now or now + curbs.LOOK_MS, name)
  end
end
return { #names, count, again }
