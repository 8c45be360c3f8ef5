--[[
  How long a ledger lives. A job that asks for an effect joins its ledger; the sweep lets it leave when it has completed, or is gone:
  a failed one can be retried. While a job is joined, or an effect is reserved or in doubt, the ledger never expires. After that it
  is kept for the retention.

  `joined` is the sorted set of "<job id>/<deduplication key>", scored by when the sweep looks at the
  job next, in milliseconds. Jobs that begin a ledger wait in a list for their first look: most have ended by then (row
  `work-effect`).
]]

-- How many jobs are joined to a ledger; `jobs` is its field, false where the ledger lacks it. Most ledgers only ever have one job, so
-- the field is written for a second one (row `work-effect`). A ledger without it has one job, or, if it already expires, none.
local function countJoined(ledger, jobs)
  if jobs then return tonumber(jobs) end
  return redis.call("PTTL", ledger) == -1 and 1 or 0
end

local function join(joined, ledger, jobId, dedupKey, lookAt)
  -- A retried job is looked at as soon as any other.
  local isNew = redis.call("ZADD", joined, "LT", lookAt, jobId .. "/" .. dedupKey) == 1
  local count = countJoined(ledger, redis.call("HGET", ledger, "jobs"))
  if not isNew and count > 0 then return end
  redis.call("HSET", ledger, "jobs", count + 1)
  redis.call("PERSIST", ledger)
end

-- Keeps a ledger from expiring, whether a job uses it or not.
local function keep(ledger)
  local hasNone = redis.call("EXISTS", ledger) == 0 or redis.call("PERSIST", ledger) == 1
  if hasNone then redis.call("HSET", ledger, "jobs", 0) end
end

-- Called when one of the ledger's jobs can no longer ask for anything. `open` is how many of its effects are.
local function leave(ledger, jobs, open, retentionMs)
  local left = (jobs or 1) - 1
  if jobs or open ~= "0" then redis.call("HSET", ledger, "jobs", left) end
  if left == 0 and open == "0" then redis.call("PEXPIRE", ledger, retentionMs) end
end

-- `keepMs` is how long an effect is remembered that no job runs.
local function letExpire(ledger, retentionMs)
  local open, jobs, keepMs = unpack(redis.call("HMGET", ledger, "open", "jobs", "keepMs"))
  if (open or "0") == "0" and jobs == "0" then redis.call("PEXPIRE", ledger, keepMs or retentionMs) end
end

-- Removes an effect's entry. The highest fence of the ledger stays, since the next one must be higher.
local function removeEntry(ledger, effect, fence)
  redis.call("HDEL", ledger, "e:" .. effect)
  local highest = tonumber(redis.call("HGET", ledger, "fence")) or 0
  if tonumber(fence) > highest then redis.call("HSET", ledger, "fence", fence) end
end

return {
  countJoined = countJoined,
  join = join,
  keep = keep,
  leave = leave,
  letExpire = letExpire,
  removeEntry = removeEntry,
}
