--[[
  What became of a parent's children, as BullMQ's sets of jobs have it: BullMQ reports an end to one parent alone.
]]
local facts = require("../../core/bullmq/job-facts")
local states = require("../../core/bullmq/job-state")
local names = require("../../core/bullmq/names")
local flows = require("./flow")

-- Children that a step looks at: about 2 ms of Redis's time if all have ended.
local CHILDREN_READ = 1000

-- Nil for a child of another queue, which shares no slot with its parent: that is BullMQ's alone.
local function idOfChild(prefix, child)
  if string.sub(child, 1, #prefix) == prefix then return string.sub(child, #prefix + 1) end
end

-- Nil for a child that has not ended.
local function endOfChild(prefix, id)
  if states.hasCompleted(prefix, id) then return "completed" end
  if names.hasFailed(prefix, id) then return "failed" end
  return not facts.jobExists(prefix, id) and "gone" or nil
end

local function recordResult(parent, child)
  redis.call("HSET", parent .. ":processed", child, redis.call("HGET", child, "returnvalue") or "null")
end

-- Moves children on that were retried while their parent was about to fail. Returns one that has failed, and whether there are more to look at.
local function lookAtUnsuccessful(prefix, parent)
  local children = redis.call("ZRANGE", parent .. ":unsuccessful", 0, CHILDREN_READ)
  for at, child in ipairs(children) do
    if at > CHILDREN_READ then return nil, true end
    local id = idOfChild(prefix, child)
    local ended = not id and "failed" or endOfChild(prefix, id)
    if ended and ended ~= "completed" then return child, false end
    redis.call("ZREM", parent .. ":unsuccessful", child)
    if ended then recordResult(parent, child) else redis.call("SADD", parent .. ":dependencies", child) end
  end
  return nil, false
end

-- Records how children have ended whose end nobody has reported, of a random sample. Returns how many.
local function lookAtDependencies(prefix, id, sample, now)
  local parent, count = prefix .. id, 0
  for _, child in ipairs(redis.call("SRANDMEMBER", parent .. ":dependencies", sample)) do
    local childId = child ~= flows.openMark(parent) and idOfChild(prefix, child)
    local ended = childId and endOfChild(prefix, childId)
    if ended then
      count = count + 1
      redis.call("SREM", parent .. ":dependencies", child)
      if ended == "completed" then
        recordResult(parent, child)
      else
        local reason = ended == "gone" and flows.GONE or facts.failureReason(prefix, childId)
        local known = flows.parentsOf(prefix, childId)[1]
        flows.recordFailedChild(prefix, child, { id = id, fpof = flows.childFailsParent(prefix, id, known) }, reason, now)
      end
    end
  end
  return count
end

return {
  CHILDREN_READ = CHILDREN_READ,
  recordResult = recordResult,
  lookAtUnsuccessful = lookAtUnsuccessful,
  lookAtDependencies = lookAtDependencies,
}
