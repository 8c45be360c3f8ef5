--[[
  Looks whether the runs that left effects in doubt may still be under way.
]]
local call = command({
  keys = {
    -- When workers were seen.
    "seen",
  },
  arguments = {
    "ledgerPrefix",
    -- Effects, each as "<deduplication key>/<effect>".
    "...",
  },
  returns = [[for each { whether it may (1 or 0), when its worker was seen last, in milliseconds, or "" }]],
  whenFull = "writes nothing",
})
local entries = require("../../core/effect/ledger/entries")
local pendingRuns = require("../../core/effect/ledger/pending-run")

local runs = {}
for at = call.firstArgument, #ARGV do
  local dedupKey, effect = string.match(ARGV[at], "^([^/]+)/(.+)$")
  -- An unreadable entry must not keep the others from being read.
  local isRead, entry = pcall(entries.readEntry, call.ledgerPrefix .. (dedupKey or ""), effect or "")
  local mayRun, seenAt = false, false
  if isRead and type(entry) == "table" and entry.state == "in-doubt" then
    mayRun, seenAt = pendingRuns.runMayBePending(call.seen, entry)
  end
  runs[at - 1] = { mayRun and 1 or 0, seenAt or "" }
end
return runs
