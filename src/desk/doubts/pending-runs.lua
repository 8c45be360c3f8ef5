#!lua flags=no-writes
--[[
  Looks whether the runs that left effects in doubt may still be under way.

  KEYS[1] when workers were seen; all other keys share its slot
  ARGV[1] ledger key prefix   ARGV[2…] effects, each as "<deduplication key>/<effect>"

  Returns for each { whether it may (1 or 0), when its worker was seen last, in milliseconds, or "" }
]]
-- @include ../../core/effect/ledger/entries.lua
-- @include ../../core/effect/ledger/pending-run.lua

local runs = {}
for at = 2, #ARGV do
  local dedupKey, effect = string.match(ARGV[at], "^([^/]+)/(.+)$")
  -- An unreadable entry must not keep the others from being read.
  local isRead, entry = pcall(readEntry, ARGV[1] .. (dedupKey or ""), effect or "")
  local mayRun, seenAt = false, false
  if isRead and type(entry) == "table" and entry.state == "in-doubt" then
    mayRun, seenAt = runMayBePending(KEYS[1], entry)
  end
  runs[at - 1] = { mayRun and 1 or 0, seenAt or "" }
end
return runs
