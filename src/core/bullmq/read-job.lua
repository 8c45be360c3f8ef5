--[[
  Reads one job: its state, when it is due, and its fields as stored-job.ts names them; then what features read of it: name, value, name, …

  Returns the values, or false where there is no job; then its deduplication key, where it has asked for an effect.
]]
local states = require("./job-state")
-- The fields that features read.
local ofFeatures = require("point:fields")

local FIELDS = { "name", "dedupKey", "timestamp", "opts", "atm", "progress", "processedOn", "finishedOn", "returnvalue", "failedReason" }

local function readForFeatures(prefix, id, isHeld, values)
  local read, fields, isAny = {}, {}, isHeld
  for at = #FIELDS + 1, #values do isAny = isAny or values[at] end
  if not isAny then return read end
  local curbedBy = isHeld and redis.call("HGET", prefix .. id, "curbedBy")
  if curbedBy then read[1], read[2] = "curbedBy", curbedBy end
  for at, name in ipairs(ofFeatures) do fields[name] = values[#FIELDS + at] end
  -- Each takes prefix, id, whether the job is held, and the values of features' fields by their names; returns a name and a value, or nothing.
  local readers = require("point:read")
  for _, readFor in ipairs(readers) do
    local name, value = readFor(prefix, id, isHeld, fields)
    if value then read[#read + 1], read[#read + 2] = name, value end
  end
  return read
end

local function readJob(prefix, id)
  -- A key that holds no hash is no job of ours, and must not keep the others from being read.
  local values = redis.pcall("HMGET", prefix .. id, "name", "dedupKey", "timestamp", "opts", "atm", "progress", "processedOn", "finishedOn",
    "returnvalue", "failedReason", unpack(ofFeatures))
  if values.err or not values[1] then return false end
  local state, due, isHeld = states.jobState(prefix, id)
  local read = { state, due and math.floor(due) or false, unpack(values, 1, #FIELDS) }
  read[#read + 1] = readForFeatures(prefix, id, isHeld, values)
  return read, values[2]
end

return { readJob = readJob }
