-- Deletes ended jobs and keeps what outlives them: idempotency keys and ledgers. Included by other scripts.
-- @include ../bullmq/job-facts.lua
-- @include ./remove-ended-job.lua
-- @include ../../platform/redis/now.lua

-- Each takes prefix, id and state, while the job is still there.
local removeFeatures = {}
-- @include ../../features/points/remove.lua

-- What nobody can know is still to be resolved: the job shows it, and goes on then.
local function isInDoubt(prefix, id, state, ledgerStart)
  if state == "failed" and failureCode(failureReason(prefix, id)) == "EFFECT_IN_DOUBT" then return true end
  local dedupKey = dedupKeyOf(prefix, id)
  local open = dedupKey and redis.call("HGET", ledgerStart .. dedupKey, "open")
  return open and open ~= "0"
end

-- Returns whether it is gone: a job in doubt stays. `joined` has the jobs joined to ledgers: the sweep lets this one leave soon.
local function deleteEnded(prefix, id, state, ledgerStart, joined)
  if isInDoubt(prefix, id, state, ledgerStart) then return false end
  local dedupKey = dedupKeyOf(prefix, id)
  if dedupKey then redis.call("ZADD", joined, "XX", nowMs(), id .. "/" .. dedupKey) end
  for _, remove in ipairs(removeFeatures) do remove(prefix, id, state) end
  removeEndedJob(prefix, id, state)
  return true
end
