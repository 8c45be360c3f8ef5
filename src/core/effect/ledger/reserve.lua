--[[
  Reserves effects, each for one attempt, before they start. Each reservation is atomic: between a check and a write another
  worker could claim the job and begin the same effect. Batching only saves time.
]]
local call = command({
  keys = {
    "epoch",
    "doubts",
    "joined",
    -- Those that began one.
    "begun",
  },
  arguments = {
    "ledgerPrefix",
    "prefix",
    "epochId",
    "epochCount",
    -- JSON, for each effect: [deduplication key, effect, reservation id, lock token, delivery count as text, milliseconds until the
    -- attempt gives up, milliseconds for which the effect may be repeated (0: never), job id, worker, the ids of this worker's
    -- encryption keys between spaces ("-" where the effect has no index), the id of the key with which its index is encrypted ("" for
    -- none), and where the ledger of another queue of its type knows the effect, its entry there and its result].
    "requests",
  },
  returns = [[
    "other-epoch" where nothing was done, or JSON: [the epoch's count, for each
            { "reserved", fence }    the effect may start; the fence grows with each reservation
            { "done", result }       it is done; result is JSON as text, or null
            { "busy", ms, times }    another attempt may still run it, for this long; how often this job was deferred for that
            { "in-doubt", fence }    nobody can know whether it happened; no run of it has a higher fence
            { "unreadable", key }    the ledger has indexes that are encrypted with this key, which this worker lacks
            { "not-leased" }         this worker has lost the job
            { "cancelled" }          the job is cancelled
            { "forgotten" }          the job has asked for effects before, and its ledger is gone
    ]
  ]],
  whenFull = "is refused",
})
local epochs = require("../../../platform/redis/fitness/epoch")
local clock = require("../../../platform/redis/now")
local leases = require("../../bullmq/claim/lease")
local entries = require("./entries")
local ledgers = require("./ledger")

if not epochs.isEpoch(call.epoch, call.epochId, call.epochCount) then return "other-epoch" end

local startedAt = clock.nowText()
local now = tonumber(startedAt)
-- When the sweep looks at a job first: most have ended by then.
local LOOK_AFTER_MS = 1000
-- Jobs that begin a ledger with this call.
local begun = {}
local NO_REPORT = "its worker did not report before the deadline"

-- An entry is inherited once: afterwards this ledger counts, not the other one.
local function inherit(ledger, effect, elsewhere)
  if not elsewhere or redis.call("HEXISTS", ledger, "i:" .. effect) == 1 then return nil end
  local entry = cjson.decode(elsewhere)
  entry.isElsewhere = true
  return entry
end

local function copyDone(ledger, effect, elsewhere, resultThere)
  redis.call("HSET", ledger, "e:" .. effect, elsewhere, "i:" .. effect, 1)
  -- Without `open` the ledger would look new to the job's next effect, and the job would be counted twice.
  redis.call("HINCRBY", ledger, "open", 0)
  if resultThere ~= "" then redis.call("HSET", ledger, "r:" .. effect, resultThere) end
end

local ENCRYPTED_MIN = 54
-- A build before noted also what only reads like a key's id, from the payload.
local function hasIndexOf(ledger, id)
  local start = "/hf1." .. id .. "."
  for _, field in ipairs(redis.call("HKEYS", ledger)) do
    local slash = string.find(field, "/", 1, true)
    if slash and string.sub(field, slash, slash + #start - 1) == start and #field - slash - #start >= ENCRYPTED_MIN - 1 then return true end
  end
  return false
end

-- An index that another key has encrypted is not found under any name that this worker knows: the effect may be there.
local function missingKey(ledger, keyIds)
  if keyIds == "-" then return nil end
  for id in string.gmatch(redis.call("HGET", ledger, "keys") or "", "%S+") do
    if not string.find(keyIds, " " .. id .. " ", 1, true) and hasIndexOf(ledger, id) then return id end
  end
end

local function noteKey(ledger, id)
  local noted = redis.call("HGET", ledger, "keys") or " "
  if not string.find(noted, " " .. id .. " ", 1, true) then redis.call("HSET", ledger, "keys", noted .. id .. " ") end
end

-- The answer where the effect is done or under way already.
local function answerFrom(entry, ledger, effect, reservationId, jobId)
  if entry.state == "done" then return { "done", redis.call("HGET", ledger, "r:" .. effect) or cjson.null } end
  if entry.state ~= "reserved" then return nil end
  -- The reply was lost and the command sent again.
  if entry.reservationId == reservationId then return { "reserved", entry.fence } end
  if now < entry.deadline then return { "busy", entry.deadline - now, leases.countDeferral(call.prefix, jobId) } end
end

-- Time alone never proves that an effect did not happen.
local function doubt(entry, ledger, dedupKey, effect, jobId, open)
  if entry.state == "reserved" then entry.reason, entry.at = NO_REPORT, now end
  entry.state, entry.job = "in-doubt", jobId
  redis.call("HSET", ledger, "e:" .. effect, cjson.encode(entry), "open", open)
  redis.call("ZADD", call.doubts, "NX", entry.at, dedupKey .. "/" .. effect)
  return { "in-doubt", entry.fence or 0 }
end

local function reserve(dedupKey, effect, reservationId, lockToken, delivery, deadlineMs, repeatMs, jobId, worker, keyIds, keyId, elsewhere, resultThere)
  local isLeased, isCancelled, noted = leases.readLease(call.prefix, jobId, lockToken, delivery)
  if not isLeased then return { "not-leased" } end
  if isCancelled then return { "cancelled" } end
  if not noted then leases.setDedupKey(call.prefix, jobId, dedupKey) end
  local ledger, field = call.ledgerPrefix .. dedupKey, "e:" .. effect
  local known, open = unpack(redis.call("HMGET", ledger, field, "open"))
  local unreadable = not known and missingKey(ledger, keyIds)
  if unreadable then return { "unreadable", unreadable } end
  local jobs, fence
  if open then jobs, fence = unpack(redis.call("HMGET", ledger, "jobs", "fence")) end
  if noted and not open and redis.call("EXISTS", ledger) == 0 then return { "forgotten" } end
  -- A new ledger is written below.
  if not open and not elsewhere then
    begun[#begun + 1] = startedAt .. "/" .. jobId .. "/" .. dedupKey
  elseif not noted or ledgers.countJoined(ledger, jobs) == 0 then
    ledgers.join(call.joined, ledger, jobId, dedupKey, now + LOOK_AFTER_MS)
  end
  if keyId ~= "" then noteKey(ledger, keyId) end
  local entry = known and cjson.decode(known) or inherit(ledger, effect, elsewhere)
  local isInherited = entry and not known

  if isInherited and entry.state == "done" then copyDone(ledger, effect, elsewhere, resultThere) end
  local answer = entry and answerFrom(entry, ledger, effect, reservationId, jobId)
  if answer then return answer end
  if isInherited then redis.call("HSET", ledger, "i:" .. effect, 1) end
  local openNow = known and open or (open or 0) + 1
  local mayRepeat = repeatMs > 0 and entry and entry.firstAt and now - entry.firstAt <= repeatMs
  if entry and not mayRepeat then return doubt(entry, ledger, dedupKey, effect, jobId, openNow) end

  if entry then redis.call("ZREM", call.doubts, dedupKey .. "/" .. effect) end
  fence = entries.nextFence(fence, entry, startedAt)
  local firstAt = repeatMs > 0 and (entry and entry.firstAt or now)
  local deadline = now + deadlineMs
  local reservation = entries.reservationText(startedAt, deadline, reservationId, fence, cjson.encode(jobId), delivery, cjson.encode(worker), firstAt, entry)
  redis.call("HSET", ledger, field, reservation, "open", openNow)
  return { "reserved", fence }
end

local outcomes = {}
for index, request in ipairs(cjson.decode(call.requests)) do
  outcomes[index] = reserve(unpack(request))
end
if #begun > 0 then redis.call("RPUSH", call.begun, unpack(begun)) end
return cjson.encode({ epochs.countChange(call.epoch), outcomes })
