--[[
  Reads jobs with the effects of their ledgers. Atomic: state, fields and effects of a job are of one moment. Batching only
  saves time.

  KEYS[1] any key of the queue, for its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] ledger key prefix   ARGV[3] how many effects of each job to return at most
  ARGV[4] after how many effects to stop, so that nobody waits for long   ARGV[5…] job ids

  Returns for each job, as far as it came, false where there is none, else { its values, as read-job.lua has them,
  { effect, entry, effect, … }, how many effects are reserved, done, in doubt }. Those that are not done come first.
]]
-- @include ../effect/ledger/entries.lua
-- @include ../bullmq/read-job.lua

local shownMax, readMax, readCount = tonumber(ARGV[3]), tonumber(ARGV[4]), 0
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
  local ledger = ARGV[2] .. dedupKey
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
      if #list < 2 * shownMax then list[#list + 1], list[#list + 2] = effectIn(names[at + index - 1]), entry end
    end
    openFound, at = counts[RESERVED] + counts[IN_DOUBT], last + 1
  end
  counts[DONE] = #names - openFound
  append(found, open)
  append(found, done)
  return found, counts
end

local jobs = {}
for at = 5, #ARGV do
  local job, dedupKey = readJob(ARGV[1], ARGV[at])
  jobs[#jobs + 1] = job and { job, effectsOf(dedupKey) }
  if readCount >= readMax then break end
end
return jobs
