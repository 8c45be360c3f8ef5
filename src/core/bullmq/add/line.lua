--[[
  Puts jobs that have a priority in line. Included by other scripts. `prefix` is what all keys of the queue begin with.
]]
-- @include ./enqueue.lua

local lineFeatures
-- Few jobs need them, and each run of a script makes its functions anew.
local function featuresOfLine()
  if lineFeatures then return lineFeatures end
  -- Each takes prefix, id, priority, and a new job's extras; returns whether it has put the job in line.
  lineFeatures = {}
  -- @include ../../../features/points/line.lua
  return lineFeatures
end

local function addByPriority(prefix, id, priority, extras)
  for _, addToLine in ipairs(featuresOfLine()) do
    if addToLine(prefix, id, priority, extras) then return end
  end
  addPrioritized(prefix, id, priority)
end
