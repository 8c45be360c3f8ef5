-- In a flow, a retried job's parents wait for it again, and a retried parent for its children.
-- @include ./look-at-children.lua

-- A parent that runs, or is about to, has seen this child's failure: it keeps that.
local function rejoinParent(prefix, id, child)
  local key = prefix .. id
  if not isWaitingForChildren(prefix, id) and not hasFailed(prefix, id) then return end
  if redis.call("ZREM", key .. ":unsuccessful", child) + redis.call("HDEL", key .. ":failed", child) == 0 then return end
  redis.call("SADD", key .. ":dependencies", child)
end

-- Returns whether the job is a parent that waits for its children now. One of which children have failed fails again.
local function awaitsChildren(prefix, id, now)
  local parent = prefix .. id
  reopenFlow(parent)
  local failed, hasMore = lookAtUnsuccessful(prefix, parent)
  if failed then redis.call("HSET", parent, "defa", "child " .. failed .. " failed") end
  -- The sweep looks at the rest, and then lets it go on.
  if hasMore then redis.call("SADD", parent .. ":dependencies", openMark(parent)) end
  if failed or redis.call("SCARD", parent .. ":dependencies") == 0 then return false end
  awaitChildren(prefix, id, now)
  return true
end

retryFeatures[#retryFeatures + 1] = function(prefix, id, now)
  for _, parent in ipairs(parentsOf(prefix, id)) do rejoinParent(prefix, parent.id, prefix .. id) end
  return awaitsChildren(prefix, id, now)
end
