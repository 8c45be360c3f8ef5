--[[
  Records that effects are done; many travel in one call. Compare-and-set on (state, reservation id): a worker that was paused
  too long finds that others have moved on. Allowed when Redis is full, since the effects have happened.

  The attempt does not wait for the reply: its completion follows on the same connection. A refused commit must also stop that,
  so it breaks the attempt's lease. The job is then found as stalled, and its next attempt finds the doubt.
]]
local call = command({
  keys = {
    -- Doubts, for its slot, which all ledgers share.
    "doubts",
  },
  arguments = {
    "ledgerPrefix",
    "prefix",
    -- Milliseconds to keep a ledger that no job uses and in which nothing is open.
    "keepMs",
    -- JSON, for each effect: [deduplication key, effect, reservation id, result as JSON ("" for none), job id, lock token, delivery
    -- count as text, what its process saw it send ("" for nothing)].
    "reports",
  },
  returns = [[
    JSON, for each
            "done"      also when this reservation recorded it before
            "in-doubt"  it was put in doubt before; the report is kept with it
            "refused"   the effect is no longer reserved by this attempt
  ]],
  whenFull = "runs",
})
local clock = require("../../../platform/redis/now")
local leases = require("../../bullmq/claim/lease")

local now = clock.nowText()

-- Looks for two members in the entry's text, which has no spaces, and every quote in a value escaped. Decoding and encoding the
-- entry would be a third of the commit (row `work-effect`).
local function isReservedBy(json, reservationId)
  local isReserved = string.find(json, '"state":"reserved"', 1, true)
  return isReserved and string.find(json, '"reservationId":"' .. reservationId .. '"', 1, true)
end

-- Nobody asks more of an effect that is done. The reservation's id needs no escapes, and a worker's name almost never.
local function doneEntry(reserved, reservationId, seen)
  local worker = string.match(reserved, '"worker":"([^"\\]+)"')
  return '{"state":"done","at":' .. now .. ',"reservationId":"' .. reservationId .. '"'
    .. (worker and ',"worker":"' .. worker .. '"' or "") .. (seen ~= "" and ',"seen":' .. cjson.encode(seen) or "") .. "}"
end

-- The answer where this attempt no longer has the effect reserved.
local function answerLate(ledger, effect, entry, reservationId, result)
  if entry.reservationId ~= reservationId then return "refused" end
  if entry.state == "done" then
    -- The sweep records that an effect is done, and does not know its result.
    if result ~= "" and redis.call("HEXISTS", ledger, "r:" .. effect) == 0 then
      redis.call("HSET", ledger, "r:" .. effect, result)
    end
    return "done"
  end
  entry.report = "done"
  entry.lateResult = result ~= "" and result or nil
  redis.call("HSET", ledger, "e:" .. effect, cjson.encode(entry))
  return "in-doubt"
end

local function commit(dedupKey, effect, reservationId, result, seen)
  local ledger, field = call.ledgerPrefix .. dedupKey, "e:" .. effect
  local known, open, jobs, keepMs = unpack(redis.call("HMGET", ledger, field, "open", "jobs", "keepMs"))
  if not known then return "refused" end
  if not isReservedBy(known, reservationId) then
    return answerLate(ledger, effect, cjson.decode(known), reservationId, result)
  end

  -- Mostly one is open. Its text is written as it is: a number would be converted.
  local written = { field, doneEntry(known, reservationId, seen), "open", open == "1" and "0" or open - 1 }
  if result ~= "" then
    written[5], written[6] = "r:" .. effect, result
  end
  redis.call("HSET", ledger, unpack(written))
  -- An effect that no job runs says itself for how long.
  if open == "1" and jobs == "0" then redis.call("PEXPIRE", ledger, keepMs or call.keepMs) end
  return "done"
end

local outcomes = {}
for index, report in ipairs(cjson.decode(call.reports)) do
  local dedupKey, effect, reservationId, result, jobId, lockToken, delivery, seen = unpack(report)
  local outcome = commit(dedupKey, effect, reservationId, result, seen)
  if outcome ~= "done" then leases.breakLease(call.prefix, jobId, lockToken, delivery) end
  outcomes[index] = outcome
end
return cjson.encode(outcomes)
