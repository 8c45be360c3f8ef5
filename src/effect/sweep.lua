#!lua flags=allow-oom
--[[
  Looks at jobs that are joined to ledgers, the most overdue first, and derives from BullMQ's own sets what is to become of
  them. It holds what no single step can, since between any two of them a process can die:
    - a job that says in doubt, with nothing in doubt any more, goes on;
    - a job that has ended leaves nothing reserved behind: what its worker never reported is put in doubt, and listed;
    - a ledger expires once no job that uses it lives and nothing in it is open.
  Atomic, so that a job cannot move on between the look and the write. Any number of workers may run it at once.

  KEYS[1] the jobs that are joined to ledgers   KEYS[2] doubts
  ARGV[1] how the names of ledgers begin   ARGV[2] how the keys of the queue begin   ARGV[3] how many jobs to look at
  ARGV[4] milliseconds to remember a ledger

  Returns { how many it looked at, how many jobs went on, how many effects it put in doubt }
]]
-- When to look again: at a job that runs, that waits, that is in doubt.
local ACTIVE_MS, WAITING_MS, DOUBT_MS = 1000, 15000, 5000
local DUE_SCALE = 4096
local prefix, now = ARGV[2], nowMs()
local wentOn, doubted = 0, 0

-- When to look again at a job that has not ended; nothing where it has.
local function nextLook(id)
  local due = redis.call("ZSCORE", prefix .. "delayed", id)
  if due then return math.max(now + ACTIVE_MS, due / DUE_SCALE) end
  return now + (redis.call("LPOS", prefix .. "active", id) and ACTIVE_MS or WAITING_MS)
end

local function putInDoubt(ledger, claim, effect, entry)
  entry.state = "in-doubt"
  entry.at = now
  entry.reason = "its job ended before its worker reported it"
  redis.call("HSET", ledger, "e:" .. effect, cjson.encode(entry))
  redis.call("ZADD", KEYS[2], now, claim .. "/" .. effect)
  doubted = doubted + 1
end

-- A completion proves that its own attempt's effects are done: an attempt with any other end of one cannot complete.
local function markDone(ledger, effect, entry)
  entry.state = "done"
  entry.at = now
  entry.deadline = nil
  redis.call("HSET", ledger, "e:" .. effect, cjson.encode(entry))
  redis.call("HINCRBY", ledger, "open", -1)
end

-- What an ended job has left reserved. Returns until when its worker may still report, false when nothing is left.
local function closeReserved(ledger, claim, id, isCompleted)
  local until_ = false
  local deliveries = tonumber(redis.call("HGET", prefix .. id, "ats") or 0)
  for _, field in ipairs(redis.call("HKEYS", ledger)) do
    local entry = string.sub(field, 1, 2) == "e:" and cjson.decode(redis.call("HGET", ledger, field))
    if entry and entry.state == "reserved" and entry.job == id then
      local effect = string.sub(field, 3)
      if isCompleted and entry.start == deliveries then
        markDone(ledger, effect, entry)
      elseif now < entry.deadline then
        until_ = math.max(until_ or 0, entry.deadline)
      else
        putInDoubt(ledger, claim, effect, entry)
      end
    end
  end
  return until_
end

-- Returns when to look at the job again, false when it may leave its ledger.
local function look(id, claim)
  local ledger = ARGV[1] .. claim
  local isCompleted = redis.call("ZSCORE", prefix .. "completed", id)
  local isFailed = not isCompleted and redis.call("ZSCORE", prefix .. "failed", id)
  local exists = isCompleted or isFailed or redis.call("EXISTS", prefix .. id) == 1
  if exists and not isCompleted and not isFailed then return nextLook(id) end
  local open = redis.call("HGET", ledger, "open") or "0"
  if open ~= "0" then
    local until_ = closeReserved(ledger, claim, id, isCompleted)
    if until_ then return until_ end
    open = redis.call("HGET", ledger, "open")
  end
  local saysInDoubt = isFailed
    and string.find(redis.call("HGET", prefix .. id, "failedReason") or "", "EFFECT_IN_DOUBT:", 1, true) == 1
  if not saysInDoubt then return false end
  if open ~= "0" or redis.call("EXISTS", ledger) == 0 then return now + DOUBT_MS end
  retryFailedJob(prefix, id)
  wentOn = wentOn + 1
  return now + ACTIVE_MS
end

local members = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, ARGV[3])
for _, member in ipairs(members) do
  local id, claim = string.match(member, "^([^/]+)/(.+)$")
  local again = look(id, claim)
  if again then
    redis.call("ZADD", KEYS[1], again, member)
  else
    redis.call("ZREM", KEYS[1], member)
    local ledger = ARGV[1] .. claim
    if redis.call("EXISTS", ledger) == 1 then
      redis.call("HINCRBY", ledger, "jobs", -1)
      letExpire(ledger, ARGV[4])
    end
  end
end
return { #members, wentOn, doubted }
