--[[
  Reads one job: its state, when it is due, and its fields as stored-job.ts names them. Included by other scripts. Needs
  job-state.lua and children.lua.

  Returns the values, or false where there is no job; then its deduplication key, where it has asked for an effect.
]]
local function readJob(prefix, id)
  -- A key that holds no hash is no job of ours, and must not keep the others from being read.
  local values = redis.pcall("HMGET", prefix .. id, "name", "dedupKey", "timestamp", "opts", "atm", "progress",
    "processedOn", "finishedOn", "returnvalue", "failedReason", "parentKey", "flow")
  if values.err or not values[1] then return false end
  local state, due = jobState(prefix, id)
  local job = { state, due and math.floor(due) or false, unpack(values, 1, 11) }
  job[14] = values[12] and { countChildren(prefix .. id) } or false
  return job, values[2]
end
