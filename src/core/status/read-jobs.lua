--[[
  Reads jobs with the effects of their ledgers. Atomic: state, fields and effects of a job are of one moment. Batching only
  saves time.
]]
local call = command({
  keys = {
    -- Any key of the queue, for its slot.
    "slot",
  },
  arguments = {
    "prefix",
    "ledgerPrefix",
    -- How many effects of each job to return at most.
    "effectsMax",
    -- After how many effects to stop, so that nobody waits for long.
    "readMax",
    -- Milliseconds without a heartbeat after which a worker is silent, and after which it is gone.
    "silentMs",
    "goneMs",
    -- Job ids.
    "...",
  },
  returns = [[
    for each job, as far as it came, false where there is none, else { its values, as read-job.lua has them,
    { effect, entry, effect, … }, how many effects are reserved, done, in doubt, its runs that were told to stop and go on, as
    still-runs.lua has them }. Effects that are not done come first.
  ]],
  whenFull = "stops at its first write",
})
local reading = require("../bullmq/read-job")
local entries = require("../effect/ledger/entries")
local stillRuns = require("./still-runs")

local shownMax, readMax, readCount = tonumber(call.effectsMax), tonumber(call.readMax), 0
local TOGETHER = 500
local RESERVED, DONE, IN_DOUBT = 1, 2, 3

local function stateIn(entry)
  if string.find(entry, '"state":"done"', 1, true) then return DONE end
  return string.find(entry, '"state":"in-doubt"', 1, true) and IN_DOUBT or RESERVED
end

-- The fields of a ledger that are effects.
local function namesIn(ledger)
  local names, fields = {}, redis.pcall("HKEYS", ledger)
  if fields.err then return names end
  for _, field in ipairs(fields) do
    if string.sub(field, 1, 2) == "e:" then names[#names + 1] = field end
  end
  return names
end

local function append(found, from)
  for at = 1, math.min(#from, 2 * shownMax - #found) do found[#found + 1] = from[at] end
end

-- The ledger knows how many are not done: once they are found, the rest need not be read.
local function effectsOf(dedupKey)
  local found, counts, open, done = {}, { 0, 0, 0 }, {}, {}
  if not dedupKey then return found, counts end
  local ledger = call.ledgerPrefix .. dedupKey
  local names = namesIn(ledger)
  readCount = readCount + #names
  if #names == 0 then return found, counts end
  local openCount = tonumber(redis.call("HGET", ledger, "open")) or #names
  local at, openFound = 1, 0
  while at <= #names and (openFound < openCount or #done < 2 * shownMax) do
    local last = math.min(at + math.min(TOGETHER, 2 * shownMax) - 1, #names)
    for index, entry in ipairs(redis.call("HMGET", ledger, unpack(names, at, last))) do
      local state = stateIn(entry)
      local list = state == DONE and done or open
      counts[state] = counts[state] + 1
      if #list < 2 * shownMax then list[#list + 1], list[#list + 2] = entries.effectIn(names[at + index - 1]), entry end
    end
    openFound, at = counts[RESERVED] + counts[IN_DOUBT], last + 1
  end
  counts[DONE] = #names - openFound
  append(found, open)
  append(found, done)
  return found, counts
end

local jobs = {}
for at = call.firstArgument, #ARGV do
  local job, dedupKey = reading.readJob(call.prefix, ARGV[at])
  local found, counts = {}, {}
  if job then found, counts = effectsOf(dedupKey) end
  jobs[#jobs + 1] = job and { job, found, counts, stillRuns.stillRunsOf(call.prefix, ARGV[at], call.silentMs, call.goneMs) }
  if readCount >= readMax then break end
end
return jobs
