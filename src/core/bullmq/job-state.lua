--[[
  The state of a job; job-facts.lua has what else there is to know. `prefix` is what all keys of the queue begin with.
]]
local encodings = require("./encodings")

local function hasCompleted(prefix, id)
  return redis.call("ZSCORE", prefix .. "completed", id) and true
end

-- The state of a job that exists; when it is due, where it is delayed; and whether it is held. Found by elimination: the list of waiting jobs can
-- hold millions and is never searched.
local function jobState(prefix, id)
  if hasCompleted(prefix, id) then return "completed" end
  if redis.call("ZSCORE", prefix .. "failed", id) then return "failed" end
  if redis.call("LPOS", prefix .. "active", id) then return "active" end
  if redis.call("ZSCORE", prefix .. "prioritized", id) then return "prioritized" end
  local due = redis.call("ZSCORE", prefix .. "delayed", id)
  if due then return "delayed", due / encodings.DUE_SCALE end
  local score = tonumber(redis.call("ZSCORE", prefix .. "waiting-children", id))
  if score and score >= 0 then return "waiting-children" end
  -- BullMQ has no state for a job that is held: see held.lua.
  return "waiting", nil, score ~= nil
end

return { hasCompleted = hasCompleted, jobState = jobState }
