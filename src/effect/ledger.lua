--[[
  How long a ledger lives. A job that asks for an effect joins its ledger; the sweep lets it leave when it has ended. While a job
  is joined, or an effect is reserved or in doubt, the ledger never expires. After that it is kept for the retention.

  Included by other scripts. `joined` is the sorted set of "<job id>/<deduplication key>", scored by when the sweep looks at the
  job next, in milliseconds.
]]

-- Joins a job that is not joined yet. `jobs` is how many the ledger says are joined, false where it says nothing.
-- Returns how many are joined now, for the caller to write; false where nothing changed.
local function countJoined(joined, jobs, jobId, dedupKey, lookAt)
  local isNew = redis.call("ZADD", joined, "NX", lookAt, jobId .. "/" .. dedupKey) == 1
  if not isNew and jobs and jobs ~= "0" then return false end
  return (jobs or 0) + 1
end

local function join(joined, ledger, jobs, jobId, dedupKey, lookAt)
  local count = countJoined(joined, jobs, jobId, dedupKey, lookAt)
  if not count then return end
  redis.call("HSET", ledger, "jobs", count)
  redis.call("PERSIST", ledger)
end

local function letExpire(ledger, retentionMs)
  local open, jobs = unpack(redis.call("HMGET", ledger, "open", "jobs"))
  if (open or "0") == "0" and (jobs or "0") == "0" then redis.call("PEXPIRE", ledger, retentionMs) end
end
