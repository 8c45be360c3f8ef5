#!lua flags=allow-oom
--[[
  Looks at jobs that are joined to ledgers, the most overdue first. Does what no single step can, since a process can die between
  any two of them:
    - a job that says in doubt goes on once nothing of it is in doubt any more;
    - a job that has ended leaves nothing reserved: what its worker never reported is put in doubt, and listed;
    - a ledger expires once no job that lives or can be retried uses it and nothing in it is open.
  Atomic: a job cannot move between the look and the write. Any number of workers may run it at once.

  KEYS[1] jobs joined to ledgers   KEYS[2] doubts   KEYS[3] jobs that began a ledger
  ARGV[1] ledger key prefix   ARGV[2] what all keys of the queue begin with   ARGV[3] how many jobs of each kind to look at
  ARGV[4] milliseconds to keep a ledger

  Returns { how many it looked at, of the more numerous kind, how many jobs went on, how many effects it put in doubt }
]]
-- @include ../effect/ledger/entries.lua
-- @include ../effect/ledger/ledger.lua
-- @include ../bullmq/retry-failed-job.lua

-- When to look at a job first: most have ended by then. And again, where it runs, waits, is in doubt, or has failed.
local NEW_MS, ACTIVE_MS, WAITING_MS, DOUBT_MS, FAILED_MS = 1000, 1000, 15000, 5000, 600000
local prefix, now = ARGV[2], nowMs()
local wentOn, doubted = 0, 0

local function nextLook(state, due)
  if state == "delayed" then return math.max(now + ACTIVE_MS, due) end
  return now + (state == "active" and ACTIVE_MS or WAITING_MS)
end

-- A completion proves that its own attempt's effects are done: an attempt with any other outcome cannot complete.
local function markDone(ledger, effect, entry)
  entry.state, entry.at, entry.deadline = "done", now, nil
  writeEntry(ledger, effect, entry)
  redis.call("HINCRBY", ledger, "open", -1)
end

-- Returns until when a worker may still report what an ended job has left reserved, false when nothing is left.
local function closeReserved(ledger, dedupKey, id, isCompleted)
  local reportsUntil = false
  local deliveries = deliveryCount(prefix, id)
  for effect, entry in pairs(readEntries(ledger)) do
    if entry.state == "reserved" and entry.job == id then
      if isCompleted and entry.delivery == deliveries then
        markDone(ledger, effect, entry)
      elseif now < entry.deadline then
        reportsUntil = math.max(reportsUntil or 0, entry.deadline)
      else
        putInDoubt(KEYS[2], ledger, dedupKey, effect, entry, "its job ended before its worker reported it")
        doubted = doubted + 1
      end
    end
  end
  return reportsUntil
end

-- Most have completed, and many of those are trimmed already.
local function stateNow(id)
  if hasCompleted(prefix, id) then return "completed" end
  if not jobExists(prefix, id) then return "gone" end
  return jobState(prefix, id)
end

-- A failed job stays joined until it is gone, since it can be retried. Other tools can do that, too, and do not join it anew.
local function nextLookAtFailed(id)
  return math.max(now + WAITING_MS, math.min(now + FAILED_MS, endedAt(prefix, id) + ARGV[4]))
end

-- Returns when to look at the job again, false when it may leave its ledger; and how many effects are open now.
local function look(ledger, id, dedupKey, open)
  local state, due = stateNow(id)
  if state ~= "gone" and not hasEnded(state) then return nextLook(state, due) end
  if open ~= "0" then
    local reportsUntil = closeReserved(ledger, dedupKey, id, state == "completed")
    if reportsUntil then return reportsUntil end
    open = redis.call("HGET", ledger, "open")
  end
  if state ~= "failed" then return false, open end
  if failureCode(failureReason(prefix, id)) ~= "EFFECT_IN_DOUBT" then return nextLookAtFailed(id) end
  if open ~= "0" or redis.call("EXISTS", ledger) == 0 then return now + DOUBT_MS end
  retryFailedJob(prefix, id)
  wentOn = wentOn + 1
  return now + ACTIVE_MS
end

-- Returns when to look at the job again, false when it has left its ledger.
local function visit(id, dedupKey)
  local ledger = ARGV[1] .. dedupKey
  local known, jobs = unpack(redis.call("HMGET", ledger, "open", "jobs"))
  local lookAt, open = look(ledger, id, dedupKey, known or "0")
  if lookAt then return lookAt end
  -- The ledger is gone where an operator has deleted it.
  if known or jobs then leave(ledger, jobs, open, ARGV[4]) end
  return false
end

local function visitJoined()
  local members = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, ARGV[3])
  local left = {}
  for _, member in ipairs(members) do
    local lookAt = visit(string.match(member, "^([^/]+)/(.+)$"))
    if lookAt then
      redis.call("ZADD", KEYS[1], lookAt, member)
    else
      left[#left + 1] = member
    end
  end
  if #left > 0 then redis.call("ZREM", KEYS[1], unpack(left)) end
  return #members
end

local function visitNew()
  local visited = 0
  for _, member in ipairs(redis.call("LRANGE", KEYS[3], 0, ARGV[3] - 1)) do
    local begunAt, id, dedupKey = string.match(member, "^(%d+)/([^/]+)/(.+)$")
    local ageMs = now - begunAt
    -- Redis's clock may have been set back.
    if ageMs >= 0 and ageMs < NEW_MS then break end
    visited = visited + 1
    local lookAt = visit(id, dedupKey)
    local isJoinedTwice = lookAt and redis.call("ZADD", KEYS[1], "NX", lookAt, id .. "/" .. dedupKey) == 0
    if isJoinedTwice then redis.call("HINCRBY", ARGV[1] .. dedupKey, "jobs", -1) end
  end
  if visited > 0 then redis.call("LTRIM", KEYS[3], visited, -1) end
  return visited
end

local looked = math.max(visitJoined(), visitNew())
return { looked, wentOn, doubted }
