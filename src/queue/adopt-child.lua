--[[
  Makes a job that exists, or existed, a child of a flow's parent. Included by other scripts. Needs flow.lua.
]]
local function isKnownChild(parent, child)
  return redis.call("SISMEMBER", parent .. ":dependencies", child) == 1
    or redis.call("HEXISTS", parent .. ":processed", child) == 1
    or redis.call("HEXISTS", parent .. ":failed", child) == 1
    or redis.call("ZSCORE", parent .. ":unsuccessful", child)
end

-- Whether another flow still waits for the job.
local function isAwaitedElsewhere(job, parent)
  local other = redis.call("HGET", job, "parentKey")
  return other and other ~= parent and redis.call("EXISTS", other) == 1
    and redis.call("SISMEMBER", other .. ":dependencies", job) == 1
end

-- Returns false where another flow still waits for the job. `gone`: the reason that is recorded where the job is not kept any more.
local function adoptChild(prefix, id, parent, parentText, gone, now)
  local child, parentKey = prefix .. id, prefix .. parent.id
  if isKnownChild(parentKey, child) then return true end
  if not jobExists(prefix, id) then
    recordFailedChild(prefix, child, parent, gone, now)
    return true
  end
  if isAwaitedElsewhere(child, parentKey) then return false end
  redis.call("HSET", child, "parentKey", parentKey, "parent", parentText)
  local state = jobState(prefix, id)
  if state == "completed" then
    redis.call("HSET", parentKey .. ":processed", child, redis.call("HGET", child, "returnvalue") or "null")
  elseif state == "failed" then
    recordFailedChild(prefix, child, parent, failureReason(prefix, id), now)
  else
    redis.call("SADD", parentKey .. ":dependencies", child)
  end
  return true
end
