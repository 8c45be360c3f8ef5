--[[
  Looks for doubts that are stuck, among some of the jobs that have ended and some of the doubts. Jobs that ended and doubts that
  began within the grace are left to the sweep.
]]
local call = command({
  keys = { "doubts" },
  arguments = {
    "prefix",
    "ledgerPrefix",
    -- How many to skip, the latest first.
    "skipped",
    -- How many to look at.
    "most",
    -- Milliseconds of grace.
    "graceMs",
  },
  returns = [[
    { unlisted: jobs that say in doubt and have nothing in doubt, stale: doubts that cannot be resolved, open: completed
    jobs with an effect reserved or in doubt, whether there was more to look at (0 or 1) }
  ]],
  whenFull = "writes nothing",
})
local facts = require("../../core/bullmq/job-facts")
local entries = require("../../core/effect/ledger/entries")
local clock = require("../../platform/redis/now")

local prefix, endedBy = call.prefix, clock.nowMs() - call.graceMs
local first, last = tonumber(call.skipped), call.skipped + call.most - 1
local unlisted, stale, open = {}, {}, {}

local function entriesOf(id)
  local dedupKey = facts.dedupKeyOf(prefix, id)
  return dedupKey and entries.readEntries(call.ledgerPrefix .. dedupKey) or {}
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

local failed = each(facts.latestEnded(prefix, "failed", first, last), function(id)
  local isDoubt = facts.failureCode(facts.failureReason(prefix, id)) == "EFFECT_IN_DOUBT"
  if isDoubt and not hasInDoubt(id) then unlisted[#unlisted + 1] = id end
end)
local completed = each(facts.latestEnded(prefix, "completed", first, last), function(id)
  if hasOpen(id) then open[#open + 1] = id end
end)
local doubts = each(redis.call("ZREVRANGE", call.doubts, first, last, "WITHSCORES"), function(member)
  local dedupKey, effect = string.match(member, "^([^/]+)/(.+)$")
  local entry = dedupKey and entries.readEntry(call.ledgerPrefix .. dedupKey, effect)
  if not entry or entry.state ~= "in-doubt" then stale[#stale + 1] = member end
end)
return { unlisted, stale, open, math.max(failed, completed, doubts) >= tonumber(call.most) and 1 or 0 }
