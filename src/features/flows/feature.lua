-- What a parent and a child of a flow do at the points of a job's path.
local childCounts = require("./children")
local childEnds = require("./look-at-children")
local clock = require("../../platform/redis/now")
local facts = require("../../core/bullmq/job-facts")
local flows = require("./flow")
local names = require("../../core/bullmq/names")

local function ended(prefix, id, reason, now)
  flows.cancelFlow(prefix .. id)
  flows.failChild(prefix, id, reason, now)
end

-- Parents that have not learned of a child's end learn of it before its result is gone.
local function remove(prefix, id, state)
  local child = prefix .. id
  if state == "failed" then flows.failChild(prefix, id, facts.failureReason(prefix, id), clock.nowMs()) end
  if state ~= "completed" then return end
  for _, parent in ipairs(flows.parentsOf(prefix, id)) do
    local key = prefix .. parent.id
    if redis.call("SREM", key .. ":dependencies", child) == 1 then
      childEnds.recordResult(key, child)
      flows.releaseParent(prefix, parent.id)
    end
  end
end

-- A parent that runs, or is about to, has seen this child's failure: it keeps that.
local function rejoinParent(prefix, id, child)
  local key = prefix .. id
  if not flows.isWaitingForChildren(prefix, id) and not names.hasFailed(prefix, id) then return end
  if redis.call("ZREM", key .. ":unsuccessful", child) + redis.call("HDEL", key .. ":failed", child) == 0 then return end
  redis.call("SADD", key .. ":dependencies", child)
end

-- Returns whether the job is a parent that waits for its children now. One of which children have failed fails again.
local function awaitsChildren(prefix, id, now)
  local parent = prefix .. id
  flows.reopenFlow(parent)
  local failed, hasMore = childEnds.lookAtUnsuccessful(prefix, parent)
  if failed then redis.call("HSET", parent, "defa", "child " .. failed .. " failed") end
  -- The sweep looks at the rest, and then lets it go on.
  if hasMore then redis.call("SADD", parent .. ":dependencies", flows.openMark(parent)) end
  if failed or redis.call("SCARD", parent .. ":dependencies") == 0 then return false end
  flows.awaitChildren(prefix, id, now)
  return true
end

-- A retried job's parents wait for it again, and a retried parent for its children.
local function retry(prefix, id, now)
  for _, parent in ipairs(flows.parentsOf(prefix, id)) do rejoinParent(prefix, parent.id, prefix .. id) end
  return awaitsChildren(prefix, id, now)
end

-- The key of a job's parent; and what a parent's flow is.
local FIELDS = { "parentKey", "flow" }

local function childrenOf(parent, flow)
  local waiting, completed, failed = childCounts.countChildren(parent)
  return { waiting, completed, failed, flow == "closed" and 1 or 0 }
end

-- The key of a job's parent; and of a parent how many children it has, as ChildCounts.
local function read(prefix, id, _, fields)
  local parentKey, flow = fields.parentKey, fields.flow
  if parentKey or flow then return "flows", { parentKey, flow and childrenOf(prefix .. id, flow) } end
end

return { ended = ended, remove = remove, retry = retry, fields = FIELDS, read = read }
