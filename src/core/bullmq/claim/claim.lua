--[[
  Stands in front of those of BullMQ's scripts that claim jobs, in place of the commands by which they take one (claim-scripts.ts).
  Before a worker gets a job, held jobs whose time has come are let in, and features may hold that job back and give the worker the next
  one. ARGV[2] is Redis's time there.

  Most queues have no job that asks (../held.lua).
]]

-- Some milliseconds of Redis's time.
local CLAIM_STEPS = 100
local claims, mayHoldMore, isAsking

local function hasAsking(prefix)
  if isAsking == nil then isAsking = redis.call("EXISTS", prefix .. "asking") == 1 end
  return isAsking
end

-- Few claims need them, and each run of the script would make these functions anew.
local function openClaims()
-- @include ../held.lua
  -- Each takes prefix, id, what the job asks, and the time; returns whether it has held the job back.
  local claimFeatures = {}
-- @include ../../../features/points/claim.lua
  claims = {}
  function claims.holdBack(...)
    for _, holdsBack in ipairs(claimFeatures) do
      if holdsBack(...) then return true end
    end
    return false
  end
  function claims.letIn(...)
-- @include ../let-due-in.lua
    letDueIn(...)
  end
  return claims
end

local function isHeldBack(prefix, id)
  if not hasAsking(prefix) then return false end
  local asks = redis.call("HGET", prefix .. id, "asks")
  return asks and (claims or openClaims()).holdBack(prefix, id, asks, tonumber(ARGV[2]))
end

local function letIn(prefix)
  if not hasAsking(prefix) then return end
  local isAnyDue = redis.call("ZRANGEBYSCORE", prefix .. "held:due", "-inf", ARGV[2], "LIMIT", 0, 1)[1]
  if isAnyDue then (claims or openClaims()).letIn(prefix, tonumber(ARGV[2])) end
end

-- A worker asks again at once.
local function stopEarly(prefix)
  mayHoldMore = true
  redis.call("ZADD", prefix .. "marker", 0, "0")
end

-- RPOPLPUSH
local function takeWaiting(waitKey, activeKey)
  local prefix = string.sub(waitKey, 1, -1 - #"wait")
  letIn(prefix)
  for _ = 1, CLAIM_STEPS do
    local id = redis.call("RPOPLPUSH", waitKey, activeKey)
    if not id or not isHeldBack(prefix, id) then return id end
    redis.call("LREM", activeKey, 1, id)
  end
  stopEarly(prefix)
  return false
end

-- ZPOPMIN
local function takePrioritized(prioritizedKey)
  local prefix = string.sub(prioritizedKey, 1, -1 - #"prioritized")
  for _ = 1, CLAIM_STEPS do
    local first = redis.call("ZPOPMIN", prioritizedKey)
    if not first[1] or not isHeldBack(prefix, first[1]) then return first end
  end
  stopEarly(prefix)
  return {}
end

-- DEL, where no prioritized job is left
local function forgetTurns(turnsKey)
  if not mayHoldMore then redis.call("DEL", turnsKey) end
end

-- When the next job is due. `dueAt`: that of the first delayed one, if any.
local function nextDueAt(dueAt, delayedKey)
  local prefix = string.sub(delayedKey, 1, -1 - #"delayed")
  if not hasAsking(prefix) then return dueAt end
  local heldUntil = tonumber(redis.call("ZRANGE", prefix .. "held:due", 0, 0, "WITHSCORES")[2])
  return heldUntil and math.min(math.floor(heldUntil), dueAt or heldUntil) or dueAt
end

