--[[
  Reads one job: its state, when it is due, and its fields as stored-job.ts names them; then what features read of it: name, value, name, …
  Included by other scripts.

  Returns the values, or false where there is no job; then its deduplication key, where it has asked for an effect.
]]
-- @include ./job-state.lua

-- Each has a name, the fields that it needs, and a function that takes prefix, id, whether the job is held, and the values of those
-- fields; it returns nothing for most jobs.
local readFeatures = {}
-- @include ../../features/points/read.lua

local FIELDS = { "name", "dedupKey", "timestamp", "opts", "atm", "progress", "processedOn", "finishedOn", "returnvalue", "failedReason" }
local OWN_FIELDS = #FIELDS
for _, feature in ipairs(readFeatures) do
  for _, field in ipairs(feature.fields) do FIELDS[#FIELDS + 1] = field end
end

local function readForFeatures(prefix, id, isHeld, values)
  local read, at = {}, OWN_FIELDS + 1
  for _, feature in ipairs(readFeatures) do
    local last = at + #feature.fields - 1
    local value = feature.read(prefix, id, isHeld, unpack(values, at, last))
    if value then read[#read + 1], read[#read + 2] = feature.name, value end
    at = last + 1
  end
  return read
end

local function readJob(prefix, id)
  -- A key that holds no hash is no job of ours, and must not keep the others from being read.
  local values = redis.pcall("HMGET", prefix .. id, unpack(FIELDS))
  if values.err or not values[1] then return false end
  local state, due, isHeld = jobState(prefix, id)
  local read = { state, due and math.floor(due) or false, unpack(values, 1, OWN_FIELDS) }
  read[#read + 1] = readForFeatures(prefix, id, isHeld, values)
  return read, values[2]
end
