#!lua flags=allow-oom
--[[
  Looks at effects that no job runs, the most overdue first: a reservation whose deadline has passed is put in doubt, and what is no longer
  remembered leaves the list. Also notes that a process lives. Atomic: no report comes between the look and the write. Any number of
  processes may run it at once.

  KEYS[1] when to look at calls next   KEYS[2] doubts   KEYS[3] when processes were seen; all other keys share their slot
  ARGV[1] ledger key prefix   ARGV[2] how many to look at   ARGV[3] the process ("" for none)
  ARGV[4] milliseconds after which a process is forgotten

  Returns { how many it looked at, how many it put in doubt }
]]
-- @include ../core/effect/ledger/entries.lua

local LOOK_AGAIN_MS = 600000
local now, doubted = nowMs(), 0

-- Returns when to look again; nil once nothing is remembered.
local function nextLook(ledger, dedupKey, effect)
  local entry = readEntry(ledger, effect)
  if entry and entry.state == "reserved" then
    if now < entry.deadline then return entry.deadline end
    putInDoubt(KEYS[2], ledger, dedupKey, effect, entry, "its process did not report before the deadline")
    doubted = doubted + 1
  end
  if entry and entry.state ~= "done" then return now + LOOK_AGAIN_MS end
  local leftMs = redis.call("PTTL", ledger)
  if leftMs == -2 then return nil end
  return now + (leftMs == -1 and LOOK_AGAIN_MS or leftMs)
end

local members = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, ARGV[2])
for _, member in ipairs(members) do
  local dedupKey, effect = string.match(member, "^([^/]+)/(.+)$")
  local lookAt = nextLook(ARGV[1] .. dedupKey, dedupKey, effect)
  if lookAt then
    redis.call("ZADD", KEYS[1], lookAt, member)
  else
    redis.call("ZREM", KEYS[1], member)
  end
end
redis.call("ZREMRANGEBYSCORE", KEYS[3], "-inf", now - ARGV[4])
if ARGV[3] ~= "" then redis.call("ZADD", KEYS[3], now, ARGV[3]) end
return { #members, doubted }
