#!lua
--[[
  Claims effects, each for one attempt, before they start. Each claim is atomic, because between a check and a write
  another worker could take the job over and begin the same effect; that many travel in one call only saves time.

  KEYS[1] doubts   KEYS[2] epoch   KEYS[3] the jobs that are joined to ledgers; all other keys lie in the same slot
  ARGV[1] how the names of ledgers begin; a job's claim completes one   ARGV[2] how the keys of jobs begin
  ARGV[3] JSON, for each effect: [claim, effect, owner (a nonce of this call), lock token, which start of the job this is
    as text, milliseconds until the owner must have ended, milliseconds for which it may be repeated (0: never), job id,
    worker, and, where the ledger of another queue of its type knows the effect, how that is written there, and its result]
  ARGV[4] the id of the epoch that the worker has seen, and   ARGV[5] the count: a store that has less may have lost
    reservations, and what was done on them

  Returns "other-epoch" where nothing was done, or JSON: [the epoch's count, for each
          { "reserved", fence }    the effect may start; the fence grows with each reservation
          { "done", result }       it ran to its end before; result is JSON as text, or null
          { "busy", ms, times }    another owner may still be at it, for so long; how often this job has met that
          { "in-doubt" }           nobody knows whether it happened
          { "not-held" }           this worker has lost the job: it must not begin anything
          { "cancelled" }          the job is cancelled: it must not begin anything more
  ]
]]
local epoch, count = unpack(redis.call("HMGET", KEYS[2], "id", "count"))
if epoch ~= ARGV[4] or tonumber(count) < tonumber(ARGV[5]) then return "other-epoch" end

local now = nowMs()
-- When the sweep looks at a job first: most have ended by then.
local LOOK_AFTER_MS = 1000

local function isHeld(job, lockToken, startNow, start)
  -- The token alone is no fence: a worker's slot uses it again for its next job. The count of starts tells attempts apart.
  return startNow == start and redis.call("GET", job .. ":lock") == lockToken
end

-- Once for each effect: what a person says of it afterwards counts, and not what the other ledger still says.
local function inherit(ledger, effect, entry)
  if not entry or redis.call("HEXISTS", ledger, "i:" .. effect) == 1 then return nil end
  return cjson.decode(entry)
end

local function reserve(claim, effect, owner, lockToken, start, deadlineMs, repeatMs, jobId, worker, elsewhere, resultThere)
  local job = ARGV[2] .. jobId
  local startNow, noted, cancelled = unpack(redis.call("HMGET", job, "ats", "claim", "defa"))
  if not isHeld(job, lockToken, startNow, start) then return { "not-held" } end
  if cancelled then return { "cancelled" } end
  -- By this the job's effects are found. A job without any would pay for the field as long as it is kept.
  if not noted then redis.call("HSET", job, "claim", claim) end
  local ledger, field = ARGV[1] .. claim, "e:" .. effect
  local known, open, jobs, fence = unpack(redis.call("HMGET", ledger, field, "open", "jobs", "fence"))
  if not noted or not jobs or jobs == "0" then join(KEYS[3], ledger, jobs, jobId, claim, now + LOOK_AFTER_MS) end
  local inherited = not known and inherit(ledger, effect, elsewhere)
  local entry = known and cjson.decode(known) or inherited
  local doubt = claim .. "/" .. effect

  if inherited and inherited.state == "done" then
    redis.call("HSET", ledger, field, elsewhere, "i:" .. effect, 1)
    if resultThere ~= "" then redis.call("HSET", ledger, "r:" .. effect, resultThere) end
  end
  if entry and entry.state == "done" then return { "done", redis.call("HGET", ledger, "r:" .. effect) or cjson.null } end
  if entry and entry.state == "reserved" then
    -- A reply was lost and the command sent again.
    if entry.owner == owner then return { "reserved", entry.fence } end
    if now < entry.deadline then return { "busy", entry.deadline - now, redis.call("HINCRBY", job, "busy", 1) } end
  end
  local openNow = known and open or (open or 0) + 1
  if inherited then redis.call("HSET", ledger, "i:" .. effect, 1) end
  local mayRepeat = repeatMs > 0 and entry and now - entry.firstAt <= repeatMs
  if entry and not mayRepeat then
    -- Time alone never proves that an effect did not happen.
    if entry.state == "reserved" then
      entry.reason = "its worker did not report before the deadline"
      entry.at = now
    end
    entry.state = "in-doubt"
    entry.job = jobId
    redis.call("HSET", ledger, field, cjson.encode(entry), "open", openNow)
    redis.call("ZADD", KEYS[1], "NX", entry.at, doubt)
    return { "in-doubt" }
  end

  if entry then redis.call("ZREM", KEYS[1], doubt) end
  -- At least the time, so that it also grows where the ledger has expired and begins anew.
  fence = math.max(now, (fence or 0) + 1, (entry and entry.fence or 0) + 1)
  local reservation = {
    state = "reserved",
    owner = owner,
    fence = fence,
    deadline = now + deadlineMs,
    firstAt = entry and entry.firstAt or now,
    again = entry and true or nil,
    at = now,
    job = jobId,
    start = tonumber(start),
    worker = worker,
  }
  redis.call("HSET", ledger, field, cjson.encode(reservation), "open", openNow, "fence", fence)
  return { "reserved", fence }
end

local outcomes = {}
for index, request in ipairs(cjson.decode(ARGV[3])) do
  outcomes[index] = reserve(unpack(request))
end
return cjson.encode({ redis.call("HINCRBY", KEYS[2], "count", 1), outcomes })
