--[[
  Reserves effects that no job runs, each for one call. Each reservation is atomic: between a check and a write another process could
  begin the same effect. Such an effect has a ledger of its own, with one entry; its process is seen from then on.
]]
local call = command({
  keys = {
    "epoch",
    "doubts",
    -- When to look at calls next.
    "calls",
    -- When processes were seen.
    "seen",
  },
  arguments = {
    "ledgerPrefix",
    "prefix",
    -- How many bytes of memory keys may take here (0: no limit).
    "keepBytes",
    -- How the ids of calls begin here.
    "idStart",
    "process",
    "epochId",
    "epochCount",
    -- JSON, for each call: [deduplication key, effect, reservation id, milliseconds until its caller gives up, milliseconds for which it may be
    -- repeated (0: never), milliseconds to remember it as text, fingerprint of its content, whose call it is as stored; and where another process
    -- runs it: which, and milliseconds for which that counts as seen without another heartbeat].
    "requests",
  },
  returns = [["other-epoch" where nothing was done, or JSON: [the epoch's count, for each
      { "reserved", fence, deadline }   the effect may start; the fence grows with each reservation
      { "done", result }       it is done; result is JSON as text, or null where a person said so without one
      { "unkept" }             it is done, and its result could not be kept
      { "busy", ms, id }       another call may still run it, for this long, under this reservation
      { "in-doubt", fence }    nobody can know whether it happened; no run of it has a higher fence
      { "reused" }             the key is used with other content
      { "full" }               the key is new, and those that are remembered take all the memory that they may
    ] ]],
  whenFull = "is refused",
})
local clock = require("../platform/redis/now")
local entries = require("../core/effect/ledger/entries")
local epochs = require("../platform/redis/fitness/epoch")

-- What a key counts as before the first sweep has measured some.
local UNMEASURED_BYTES = 1024

local isSeen, count = epochs.isEpoch(call.epoch, call.epochId, call.epochCount)
if not isSeen then return "other-epoch" end

local startedAt = clock.nowText()
local now = tonumber(startedAt)
local keepBytes = tonumber(call.keepBytes)
local isFull = keepBytes > 0 and redis.call("ZCARD", call.calls) * (redis.call("GET", call.prefix .. "call-bytes") or UNMEASURED_BYTES) >= keepBytes
-- What one command writes for all of them: when to look at each, and when each process was seen.
local looks, seen = {}, {}
local ownProcess = cjson.encode(call.process)

-- The answer where the effect is done or under way already, or in doubt. Time alone never proves that it did not happen.
local function answerFrom(entry, ledger, dedupKey, effect, reservationId, repeatMs)
  if entry.state == "done" then
    local result = redis.call("HGET", ledger, "r:" .. effect)
    if not result and not entry.resolvedBy then return { "unkept" } end
    return { "done", result or cjson.null }
  end
  if entry.state == "reserved" then
    if now < entry.deadline then
      -- The reply was lost and the command sent again.
      if entry.reservationId == reservationId then return { "reserved", entry.fence, entry.deadline } end
      return { "busy", entry.deadline - now, entry.reservationId }
    end
    entries.putInDoubt(call.doubts, ledger, dedupKey, effect, entry, "its process did not report before the deadline")
  end
  local mayRepeat = repeatMs > 0 and entry.firstAt and now - entry.firstAt <= repeatMs
  if not mayRepeat then return { "in-doubt", entry.fence or 0 } end
end

local function reserve(request)
  local dedupKey, effect, reservationId, deadlineMs, repeatMs, keepMs, content, origin, elsewhere, seenMs = unpack(request)
  local ledger, field = call.ledgerPrefix .. dedupKey, "e:" .. effect
  local known, knownContent, fence = unpack(redis.call("HMGET", ledger, field, "content", "fence"))
  local entry = known and cjson.decode(known)
  -- A key whose effect is not done is free.
  if entry and knownContent and knownContent ~= content then return { "reused" } end
  local answer = entry and answerFrom(entry, ledger, dedupKey, effect, reservationId, repeatMs)
  if answer then return answer end
  if isFull and not entry then return { "full" } end

  if entry then redis.call("ZREM", call.doubts, dedupKey .. "/" .. effect) end
  if fence then redis.call("PERSIST", ledger) end
  fence = entries.nextFence(fence, entry, startedAt)
  local firstAt = repeatMs > 0 and (entry and entry.firstAt or now)
  -- Numbers as text, each written once: Lua and cjson write a number slower than they copy a text (row `guard-once`).
  local deadline = string.format("%.0f", now + deadlineMs)
  local worker = elsewhere and cjson.encode(elsewhere) or ownProcess
  -- The id of a call needs no escapes.
  local id = '"' .. call.idStart .. dedupKey .. '"'
  local reservation = entries.reservationText(startedAt, deadline, reservationId, fence, id, "0", worker, firstAt, entry)
  -- The fence by itself, too: an effect that is done has none, and its run may report that again.
  redis.call("HSET", ledger, field, reservation, "open", "1", "jobs", "0", "keepMs", keepMs, "content", content, "call", origin, "fence", fence)
  looks[#looks + 1], looks[#looks + 2] = deadline, dedupKey .. "/" .. effect
  local process = elsewhere or call.process
  seen[process] = math.max(seen[process] or 0, now + (seenMs or 0))
  return { "reserved", fence, deadline }
end

local outcomes = {}
for index, request in ipairs(cjson.decode(call.requests)) do outcomes[index] = reserve(request) end
-- Whoever only gets a result writes nothing, so it waits for no disk.
if #looks > 0 then
  count = epochs.countChange(call.epoch)
  redis.call("ZADD", call.calls, unpack(looks))
  for process, seenAt in pairs(seen) do redis.call("ZADD", call.seen, "GT", seenAt, process) end
end
return cjson.encode({ count, outcomes })
