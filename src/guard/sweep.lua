--[[
  Looks at effects that no job runs, the most overdue first: a reservation whose deadline has passed is put in doubt, and what is no longer
  remembered leaves the list. Also notes that a process lives. Atomic: no report comes between the look and the write. Any number of
  processes may run it at once.
]]
local call = command({
  keys = {
    -- When to look at calls next.
    "calls",
    "doubts",
    -- When processes were seen.
    "seen",
  },
  arguments = {
    "ledgerPrefix",
    "prefix",
    -- How many to look at.
    "most",
    -- The process ("" for none).
    "process",
    -- Milliseconds after which a process is forgotten.
    "keepMs",
    -- Whether to measure the memory that keys take (1 or 0).
    "measures",
  },
  returns = [[{ how many it looked at, how many it put in doubt }]],
  whenFull = "runs",
})
local clock = require("../platform/redis/now")
local entries = require("../core/effect/ledger/entries")

local LOOK_AGAIN_MS = 600000
local SAMPLE = 5
-- A member of the list of calls, with its score.
local MEMBER_BYTES = 100
local now, doubted = clock.nowMs(), 0

-- Returns when to look again; nil once nothing is remembered.
local function nextLook(ledger, dedupKey, effect)
  local entry = entries.readEntry(ledger, effect)
  if entry and entry.state == "reserved" then
    -- It is looked at from its deadline on: the list has no earlier time for it.
    entries.putInDoubt(call.doubts, ledger, dedupKey, effect, entry, "its process did not report before the deadline")
    doubted = doubted + 1
  end
  if entry and entry.state ~= "done" then return now + LOOK_AGAIN_MS end
  local leftMs = redis.call("PTTL", ledger)
  if leftMs == -2 then return nil end
  return now + leftMs
end

-- Notes what a key takes: the mean of some, chosen at random with each sweep. Nobody counts when a key is forgotten: Redis lets it expire.
local function measure()
  local sum, count, known = 0, 0, call.prefix .. "call-bytes"
  for _, member in ipairs(redis.call("ZRANDMEMBER", call.calls, SAMPLE)) do
    local bytes = redis.call("MEMORY", "USAGE", call.ledgerPrefix .. string.match(member, "^[^/]+"))
    if bytes then sum, count = sum + bytes + MEMBER_BYTES, count + 1 end
  end
  if count == 0 then return end
  local mean = tonumber(redis.call("GET", known)) or sum / count
  -- Each sweep moves it by a tenth, so that a few large ones do not decide it.
  redis.call("SET", known, string.format("%.1f", mean * 0.9 + sum / count * 0.1))
end

local members = redis.call("ZRANGEBYSCORE", call.calls, "-inf", now, "LIMIT", 0, call.most)
for _, member in ipairs(members) do
  local dedupKey, effect = string.match(member, "^([^/]+)/(.+)$")
  local lookAt = nextLook(call.ledgerPrefix .. dedupKey, dedupKey, effect)
  if lookAt then
    redis.call("ZADD", call.calls, lookAt, member)
  else
    redis.call("ZREM", call.calls, member)
  end
end
if call.measures == "1" then measure() end
redis.call("ZREMRANGEBYSCORE", call.seen, "-inf", now - call.keepMs)
if call.process ~= "" then redis.call("ZADD", call.seen, now, call.process) end
return { #members, doubted }
