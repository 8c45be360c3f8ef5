--[[
  How long a ledger lives. A job that asks for an effect joins its ledger; the sweep lets it leave once it has ended. While
  a job is joined, or anything in the ledger is reserved or in doubt, the ledger never expires. After that it is remembered
  for the retention.

  Included in the scripts that need it. `joined` is the sorted set of "<job id>/<claim>", scored by when the sweep is to
  look at the job, in milliseconds.
]]
local function nowMs()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Joins a job that is not joined yet. `jobs` is how many the ledger says are joined, false where it says nothing.
local function join(joined, ledger, jobs, jobId, claim, lookAt)
  local isNew = redis.call("ZADD", joined, "NX", lookAt, jobId .. "/" .. claim) == 1
  if not isNew and jobs and jobs ~= "0" then return end
  redis.call("HSET", ledger, "jobs", (jobs or 0) + 1)
  redis.call("PERSIST", ledger)
end

local function letExpire(ledger, retentionMs)
  local open, jobs = unpack(redis.call("HMGET", ledger, "open", "jobs"))
  if (open or "0") == "0" and (jobs or "0") == "0" then redis.call("PEXPIRE", ledger, retentionMs) end
end

-- One effect less is reserved or in doubt.
local function closeOne(ledger, retentionMs)
  if redis.call("HINCRBY", ledger, "open", -1) == 0 then letExpire(ledger, retentionMs) end
end
