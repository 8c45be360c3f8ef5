#!lua flags=no-writes
--[[
  Looks for doubts that are stuck, among some of the jobs that have ended and some of the doubts. Jobs that ended and doubts that
  began within the grace are left to the sweep.

  KEYS[1] doubts; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] ledger key prefix   ARGV[3] how many to skip, the latest first
  ARGV[4] how many to look at   ARGV[5] milliseconds of grace

  Returns { unlisted: jobs that say in doubt and have nothing in doubt, stale: doubts that cannot be resolved, open: completed
  jobs with an effect reserved or in doubt, whether there was more to look at (0 or 1) }
]]
-- @include ../../core/effect/ledger/entries.lua
-- @include ../../core/bullmq/job-facts.lua

local prefix, endedBy = ARGV[1], nowMs() - ARGV[5]
local first, last = tonumber(ARGV[3]), ARGV[3] + ARGV[4] - 1
local unlisted, stale, open = {}, {}, {}

local function entriesOf(id)
  local dedupKey = dedupKeyOf(prefix, id)
  return dedupKey and readEntries(ARGV[2] .. dedupKey) or {}
end

local function hasInDoubt(id)
  for _, entry in pairs(entriesOf(id)) do
    if entry.state == "in-doubt" then return true end
  end
  return false
end

local function hasOpen(id)
  for _, entry in pairs(entriesOf(id)) do
    if entry.state ~= "done" and entry.job == id then return true end
  end
  return false
end

-- Returns how many there were. `found` holds ids, each followed by a time.
local function each(found, look)
  for at = 1, #found, 2 do
    if tonumber(found[at + 1]) <= endedBy then look(found[at]) end
  end
  return #found / 2
end

local failed = each(latestEnded(prefix, "failed", first, last), function(id)
  local isDoubt = failureCode(failureReason(prefix, id)) == "EFFECT_IN_DOUBT"
  if isDoubt and not hasInDoubt(id) then unlisted[#unlisted + 1] = id end
end)
local completed = each(latestEnded(prefix, "completed", first, last), function(id)
  if hasOpen(id) then open[#open + 1] = id end
end)
local doubts = each(redis.call("ZREVRANGE", KEYS[1], first, last, "WITHSCORES"), function(member)
  local dedupKey, effect = string.match(member, "^([^/]+)/(.+)$")
  local entry = dedupKey and readEntry(ARGV[2] .. dedupKey, effect)
  if not entry or entry.state ~= "in-doubt" then stale[#stale + 1] = member end
end)
return { unlisted, stale, open, math.max(failed, completed, doubts) >= tonumber(ARGV[4]) and 1 or 0 }
