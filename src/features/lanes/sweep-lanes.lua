--[[
  Looks at lanes, the most overdue first, and does what nobody did after a job's end, because a worker died, a job was removed, or another
  tool ran it: jobs that have ended leave their lane, and the next ones are let in. Atomic for each lane. Any number of workers may run
  it at once.
]]
local call = command({
  keys = { "lanes" },
  arguments = {
    "prefix",
    -- How many lanes to look at.
    "most",
  },
  returns = [[how many it looked at, and how many jobs it let in]],
  whenFull = "runs",
})
local names = require("../../core/bullmq/names")
local clock = require("../../platform/redis/now")
local laneSets = require("./lanes")
local lettingIn = require("./let-in")

-- A lane whose job waits for its time is looked at when that comes, or sooner: the job can be cancelled by other tools.
local DELAYED_LOOK_MS = 60000
-- With many lanes each is looked at less often, so that all of them together take a hundredth of Redis's time.
local LOOK_MS_EACH = 2
local prefix, now, count = call.prefix, clock.nowMs(), 0
local lookAfterMs = math.max(laneSets.HELD_LOOK_MS, LOOK_MS_EACH * redis.call("ZCARD", call.lanes))

-- Returns a job that is under way.
local function dropEnded(key)
  local underWay = false
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", key, 0, 0)) do
    if lettingIn.stillRuns(prefix, id) then underWay = id else redis.call("ZREM", key, id) end
  end
  return underWay
end

local function nextLook(underWay)
  local due = underWay and names.delayedUntil(prefix, underWay)
  local soon = now + lookAfterMs
  return due and math.max(soon, math.min(due, now + DELAYED_LOOK_MS)) or soon
end

local lanes = redis.call("ZRANGEBYSCORE", call.lanes, "-inf", now, "LIMIT", 0, call.most)
for _, lane in ipairs(lanes) do
  local underWay = dropEnded(prefix .. "lane:" .. lane)
  local letInNow, isHeld, hasMore = lettingIn.letIn(prefix, lane, now)
  count = count + letInNow
  local lookAt = hasMore and now or isHeld and nextLook(underWay) or now + laneSets.IDLE_LOOK_MS
  redis.call("ZADD", call.lanes, "XX", lookAt, lane)
end
return { #lanes, count }
