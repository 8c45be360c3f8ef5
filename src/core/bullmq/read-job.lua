--[[
  Reads one job: its state, when it is due, and its fields as stored-job.ts names them. Included by other scripts. Needs
  job-state.lua and children.lua.

  Returns the values, or false where there is no job; then its deduplication key, where it has asked for an effect.
]]
-- @include ../../features/flows/children.lua
-- @include ../../features/lanes/lanes.lua
-- @include ./job-state.lua

-- The lane that holds a job, how many jobs are before it there, and the limit.
local function heldIn(prefix, id)
  local lane, limit = laneOf(prefix, id)
  local behind = lane and redis.call("ZRANK", prefix .. "lane:" .. lane, id)
  return behind and { lane, behind, tonumber(limit) }
end

local function childrenOf(parent, flow)
  local waiting, completed, failed = countChildren(parent)
  return { waiting, completed, failed, flow == "closed" and 1 or 0 }
end

local function readJob(prefix, id)
  -- A key that holds no hash is no job of ours, and must not keep the others from being read.
  local values = redis.pcall("HMGET", prefix .. id, "name", "dedupKey", "timestamp", "opts", "atm", "progress",
    "processedOn", "finishedOn", "returnvalue", "failedReason", "parentKey", "flow")
  if values.err or not values[1] then return false end
  local state, due, isHeld = jobState(prefix, id)
  local read = { state, due and math.floor(due) or false, unpack(values, 1, 11) }
  read[14] = values[12] and childrenOf(prefix .. id, values[12]) or false
  read[15] = isHeld and heldIn(prefix, id) or false
  return read, values[2]
end
