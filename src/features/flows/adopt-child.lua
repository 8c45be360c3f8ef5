--[[
  Makes a job that exists, or existed, a child of a flow's parent.
]]
local facts = require("../../core/bullmq/job-facts")
local states = require("../../core/bullmq/job-state")
local flows = require("./flow")

-- The latest parents are kept: any number of flows can have a failed child.
local PARENTS_MAX = 1000

local function isKnownChild(parent, child)
  return redis.call("SISMEMBER", parent .. ":dependencies", child) == 1
    or redis.call("HEXISTS", parent .. ":processed", child) == 1
    or redis.call("HEXISTS", parent .. ":failed", child) == 1
    or redis.call("ZSCORE", parent .. ":unsuccessful", child)
end

-- Whether another flow still waits for a job that has not ended.
local function isAwaitedElsewhere(prefix, id, parents)
  for _, other in ipairs(parents) do
    if redis.call("SISMEMBER", prefix .. other.id .. ":dependencies", prefix .. id) == 1 then return true end
  end
  return false
end

-- Keeps a child's parents besides the one that BullMQ is to know: a retry links all of them again.
local function keepParents(prefix, id, parents)
  local ids = {}
  for _, parent in ipairs(parents) do
    if #ids < PARENTS_MAX and facts.jobExists(prefix, parent.id) then ids[#ids + 1] = parent.id end
  end
  if #ids > 0 then redis.call("HSET", prefix .. id, "parents", table.concat(ids, " ")) end
end

-- Returns false where another flow still waits for the job.
local function adoptChild(prefix, id, parent, parentText, now)
  local child, parentKey = prefix .. id, prefix .. parent.id
  if isKnownChild(parentKey, child) then return true end
  if not facts.jobExists(prefix, id) then
    flows.recordFailedChild(prefix, child, parent, flows.GONE, now)
    return true
  end
  local state, parents = states.jobState(prefix, id), flows.parentsOf(prefix, id)
  if not facts.hasEnded(state) and isAwaitedElsewhere(prefix, id, parents) then return false end
  keepParents(prefix, id, parents)
  redis.call("HSET", child, "parentKey", parentKey, "parent", parentText)
  if state == "completed" then
    redis.call("HSET", parentKey .. ":processed", child, redis.call("HGET", child, "returnvalue") or "null")
  elseif state == "failed" then
    flows.recordFailedChild(prefix, child, parent, facts.failureReason(prefix, id), now)
  else
    redis.call("SADD", parentKey .. ":dependencies", child)
  end
  return true
end

return { adoptChild = adoptChild }
