--[[
  Reads one job: its state, when it is due, and its fields as stored-job.ts names them; then what features read of it: name, value, name, …
  Included by other scripts.

  Returns the values, or false where there is no job; then its deduplication key, where it has asked for an effect.
]]
-- @include ./job-state.lua

local FIELDS = { "name", "dedupKey", "timestamp", "opts", "atm", "progress", "processedOn", "finishedOn", "returnvalue", "failedReason" }
local OWN_FIELDS = #FIELDS
-- @include ../../features/points/fields.lua

local readFeatures
-- Few jobs need them, and each run of a script makes its functions anew.
local function featuresThatRead()
  if readFeatures then return readFeatures end
  -- Each has a name, and a function that takes prefix, id, whether the job is held, and the values of features' fields by their names.
  readFeatures = {}
  -- @include ../../features/points/read.lua
  return readFeatures
end

local function readForFeatures(prefix, id, isHeld, values)
  local read, fields, isAny = {}, {}, isHeld
  for at = OWN_FIELDS + 1, #FIELDS do isAny = isAny or values[at] end
  if not isAny then return read end
  for at = OWN_FIELDS + 1, #FIELDS do fields[FIELDS[at]] = values[at] end
  for _, feature in ipairs(featuresThatRead()) do
    local value = feature.read(prefix, id, isHeld, fields)
    if value then read[#read + 1], read[#read + 2] = feature.name, value end
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
