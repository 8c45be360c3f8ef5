--[[
  Looks at jobs that are joined to ledgers, the most overdue first. Does what no single step can, since a process can die between
  any two of them:
    - a job that says in doubt goes on once nothing of it is in doubt any more;
    - a job that has ended leaves nothing reserved: what its worker never reported is put in doubt, and listed;
    - a ledger expires once no job that lives or can be retried uses it and nothing in it is open.
  Atomic: a job cannot move between the look and the write. Any number of workers may run it at once.
]]
local call = command({
  keys = {
    "joined",
    "doubts",
    -- Jobs that began a ledger.
    "begun",
  },
  arguments = {
    "ledgerPrefix",
    "prefix",
    -- How many jobs of each kind to look at.
    "most",
    -- Milliseconds to keep a ledger.
    "keepMs",
  },
  returns = [[{ how many it looked at, of the more numerous kind, how many jobs went on, how many effects it put in doubt }]],
  whenFull = "runs",
})
local clock = require("../../platform/redis/now")
local claimed = require("../bullmq/claim/deliveries")
local facts = require("../bullmq/job-facts")
local states = require("../bullmq/job-state")
local retries = require("../bullmq/retry-failed-job")
local entries = require("../effect/ledger/entries")
local ledgers = require("../effect/ledger/ledger")

-- When to look at a job first: most have ended by then. And again, where it runs, waits, is in doubt, or has failed.
local NEW_MS, ACTIVE_MS, WAITING_MS, DOUBT_MS, FAILED_MS = 1000, 1000, 15000, 5000, 600000
local prefix, now = call.prefix, clock.nowMs()
local wentOn, doubted = 0, 0

local function nextLook(state, due)
  if state == "delayed" then return math.max(now + ACTIVE_MS, due) end
  return now + (state == "active" and ACTIVE_MS or WAITING_MS)
end

-- A completion proves that its own attempt's effects are done: an attempt with any other outcome cannot complete.
local function markDone(ledger, effect, entry)
  entry.state, entry.at, entry.deadline = "done", now, nil
  entries.writeEntry(ledger, effect, entry)
  redis.call("HINCRBY", ledger, "open", -1)
end

-- Returns until when a worker may still report what an ended job has left reserved, false when nothing is left.
local function closeReserved(ledger, dedupKey, id, isCompleted)
  local reportsUntil = false
  local deliveries = claimed.deliveryCount(prefix, id)
  for effect, entry in pairs(entries.readEntries(ledger)) do
    if entry.state == "reserved" and entry.job == id then
      if isCompleted and entry.delivery == deliveries then
        markDone(ledger, effect, entry)
      elseif now < entry.deadline then
        reportsUntil = math.max(reportsUntil or 0, entry.deadline)
      else
        entries.putInDoubt(call.doubts, ledger, dedupKey, effect, entry, "its job ended before its worker reported it")
        doubted = doubted + 1
      end
    end
  end
  return reportsUntil
end

-- Most have completed, and many of those are trimmed already.
local function stateNow(id)
  if states.hasCompleted(prefix, id) then return "completed" end
  if not facts.jobExists(prefix, id) then return "gone" end
  return states.jobState(prefix, id)
end

-- A failed job stays joined until it is gone, since it can be retried. Other tools can do that, too, and do not join it anew.
local function nextLookAtFailed(id)
  return math.max(now + WAITING_MS, math.min(now + FAILED_MS, facts.endedAt(prefix, id) + call.keepMs))
end

-- Returns when to look at the job again, false when it may leave its ledger; and how many effects are open now.
local function look(ledger, id, dedupKey, open)
  local state, due = stateNow(id)
  if state ~= "gone" and not facts.hasEnded(state) then return nextLook(state, due) end
  if open ~= "0" then
    local reportsUntil = closeReserved(ledger, dedupKey, id, state == "completed")
    if reportsUntil then return reportsUntil end
    open = redis.call("HGET", ledger, "open")
  end
  if state ~= "failed" then return false, open end
  if facts.failureCode(facts.failureReason(prefix, id)) ~= "EFFECT_IN_DOUBT" then return nextLookAtFailed(id) end
  if open ~= "0" or redis.call("EXISTS", ledger) == 0 then return now + DOUBT_MS end
  retries.retryFailedJob(prefix, id)
  wentOn = wentOn + 1
  return now + ACTIVE_MS
end

-- Returns when to look at the job again, false when it has left its ledger.
local function visit(id, dedupKey)
  local ledger = call.ledgerPrefix .. dedupKey
  local known, jobs = unpack(redis.call("HMGET", ledger, "open", "jobs"))
  local lookAt, open = look(ledger, id, dedupKey, known or "0")
  if lookAt then return lookAt end
  ledgers.leave(ledger, jobs, open, call.keepMs)
  return false
end

local function visitJoined()
  local members = redis.call("ZRANGEBYSCORE", call.joined, "-inf", now, "LIMIT", 0, call.most)
  local left = {}
  for _, member in ipairs(members) do
    local lookAt = visit(string.match(member, "^([^/]+)/(.+)$"))
    if lookAt then
      redis.call("ZADD", call.joined, lookAt, member)
    else
      left[#left + 1] = member
    end
  end
  if #left > 0 then redis.call("ZREM", call.joined, unpack(left)) end
  return #members
end

local function visitNew()
  local visited = 0
  for _, member in ipairs(redis.call("LRANGE", call.begun, 0, call.most - 1)) do
    local begunAt, id, dedupKey = string.match(member, "^(%d+)/([^/]+)/(.+)$")
    local ageMs = now - begunAt
    -- Redis's clock may have been set back.
    if ageMs >= 0 and ageMs < NEW_MS then break end
    visited = visited + 1
    local lookAt = visit(id, dedupKey)
    local isJoinedTwice = lookAt and redis.call("ZADD", call.joined, "NX", lookAt, id .. "/" .. dedupKey) == 0
    if isJoinedTwice then redis.call("HINCRBY", call.ledgerPrefix .. dedupKey, "jobs", -1) end
  end
  if visited > 0 then redis.call("LTRIM", call.begun, visited, -1) end
  return visited
end

local looked = math.max(visitJoined(), visitNew())
return { looked, wentOn, doubted }
