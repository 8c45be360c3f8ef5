-- Deletes ended jobs and keeps what outlives them: idempotency keys and ledgers.
local clock = require("../../platform/redis/now")
local facts = require("../bullmq/job-facts")
local removal = require("../bullmq/end/remove-ended-job")

-- What nobody can know is still to be resolved: the job shows it, and goes on then.
local function isInDoubt(prefix, id, state, ledgerStart)
  if state == "failed" and facts.failureCode(facts.failureReason(prefix, id)) == "EFFECT_IN_DOUBT" then return true end
  local dedupKey = facts.dedupKeyOf(prefix, id)
  local open = dedupKey and redis.call("HGET", ledgerStart .. dedupKey, "open")
  return open and open ~= "0"
end

-- Returns whether it is gone: a job in doubt stays. `joined` has the jobs joined to ledgers: the sweep lets this one leave soon.
local function deleteEnded(prefix, id, state, ledgerStart, joined)
  if isInDoubt(prefix, id, state, ledgerStart) then return false end
  local dedupKey = facts.dedupKeyOf(prefix, id)
  if dedupKey then redis.call("ZADD", joined, "XX", clock.nowMs(), id .. "/" .. dedupKey) end
  -- Each takes prefix, id and state, while the job is still there.
  local removers = require("point:remove")
  for _, remove in ipairs(removers) do remove(prefix, id, state) end
  removal.removeEndedJob(prefix, id, state)
  return true
end

return { deleteEnded = deleteEnded }
