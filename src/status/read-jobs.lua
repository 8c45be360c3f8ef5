--[[
  Reads jobs with the effects of their ledgers. Atomic: state, fields and effects of a job are of one moment. Batching only
  saves time.

  KEYS[1] any key of the queue, for its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] ledger key prefix   ARGV[3…] job ids

  Returns for each job false where there is none, else { its values, as read-job.lua has them, { effect, entry, effect, … } }
]]
local function effectsOf(dedupKey)
  local found = {}
  if not dedupKey then return found end
  local ledger = ARGV[2] .. dedupKey
  local fields = redis.pcall("HKEYS", ledger)
  if fields.err then return found end
  for _, field in ipairs(fields) do
    local effect = effectIn(field)
    if effect then
      found[#found + 1] = effect
      found[#found + 1] = redis.call("HGET", ledger, field)
    end
  end
  return found
end

local jobs = {}
for at = 3, #ARGV do
  local job, dedupKey = readJob(ARGV[1], ARGV[at])
  jobs[#jobs + 1] = job and { job, effectsOf(dedupKey) }
end
return jobs
