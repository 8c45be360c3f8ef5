--[[
  Stands in front of those of BullMQ's scripts that claim jobs (claim-scripts.ts). Before a worker gets a job, held jobs whose time has come
  are let in, and features may hold that job back and give the worker the next one. ARGV[2] is Redis's time there.

  Most queues have no job that asks (../held.lua). Their claims read one more of the queue's settings, which BullMQ's script reads anyway,
  and make one function: each run of a script makes its functions anew, so the others are inside of it.
]]

-- Some milliseconds of Redis's time.
local CLAIM_STEPS = 100
-- `isAsking` and `isCurbed`: set by BullMQ's script as it reads the queue's settings; the latter where an operator holds a type or a key back
-- (../curb/curbs.lua), and then the former, too. `mayBeMore`: the worker asks again at once.
local isAsking, isCurbed, mayBeMore, claims

-- What a claim does in place of BullMQ's commands.
local function asking()
  if claims then return claims end
  local dueJobs = require("../let-due-in")
  -- Each takes prefix, id, what the job asks, and the time; returns whether it has held the job back.
  local holders = require("point:claim")
  local now = tonumber(ARGV[2])

  -- Whether a curb holds the job back; without one, lets in those for which curbs have room.
  local function curb(prefix, id)
    local curbs = require("../curb/curbs")
    local deliveries = require("./deliveries")
    if not id then return curbs.letInNext(prefix, now) end
    return not deliveries.isToFail(prefix, id) and curbs.holdsBack(prefix, id, now)
  end

  local function isHeldBack(prefix, id)
    if isCurbed and curb(prefix, id) then return true end
    local asks = redis.call("HGET", prefix .. id, "asks")
    if not asks then return false end
    for _, holdsBack in ipairs(holders) do
      if holdsBack(prefix, id, asks, now) then return true end
    end
    return false
  end

  local function stopEarly(prefix)
    mayBeMore = true
    redis.call("ZADD", prefix .. "marker", 0, "0")
  end

  claims = {}

  -- RPOPLPUSH
  function claims.takeWaiting(command, waitKey, activeKey)
    local prefix = string.sub(waitKey, 1, -1 - #"wait")
    dueJobs.letDueIn(prefix, now)
    if isCurbed then curb(prefix) end
    for _ = 1, CLAIM_STEPS do
      local id = redis.call(command, waitKey, activeKey)
      if not id or not isHeldBack(prefix, id) then return id end
      redis.call("LREM", activeKey, 1, id)
    end
    stopEarly(prefix)
    return false
  end

  -- ZPOPMIN
  function claims.takePrioritized(command, prioritizedKey)
    local prefix = string.sub(prioritizedKey, 1, -1 - #"prioritized")
    for _ = 1, CLAIM_STEPS do
      local first = redis.call(command, prioritizedKey)
      if not first[1] or not isHeldBack(prefix, first[1]) then return first end
    end
    stopEarly(prefix)
    return {}
  end

  -- How many jobs may be active while the queue is ramping up; `concurrency` without that. A worker is woken when one more may.
  function claims.rampedTo(metaKey, ramp, concurrency)
    local ramps = require("../ramp")
    local most, moreAt = ramps.roomAt(ramp, now)
    if not most then
      redis.call("HDEL", metaKey, "ramp")
      return concurrency
    end
    local prefix = string.sub(metaKey, 1, -1 - #"meta")
    if redis.call("LLEN", prefix .. "active") >= most then redis.call("ZADD", prefix .. "marker", moreAt, "3") end
    return math.min(most, tonumber(concurrency or most))
  end

  -- When the next job is due. `dueAt`: that of the first delayed one, if any.
  function claims.nextDueAt(dueAt, delayedKey)
    local prefix = string.sub(delayedKey, 1, -1 - #"delayed")
    local heldUntil = tonumber(redis.call("ZRANGE", prefix .. "held:due", 0, 0, "WITHSCORES")[2])
    return heldUntil and math.min(math.floor(heldUntil), dueAt or heldUntil) or dueAt
  end

  return claims
end
