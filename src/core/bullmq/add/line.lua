--[[
  Puts jobs that have a priority in line. Included by other scripts. `prefix` is what all keys of the queue begin with.
]]
-- @include ./enqueue.lua

-- Each takes prefix, id, priority, and a new job's extras; returns whether it has put the job in line.
local lineFeatures = {}
-- @include ../../../features/points/line.lua

local function addByPriority(prefix, id, priority, extras)
  for _, addToLine in ipairs(lineFeatures) do
    if addToLine(prefix, id, priority, extras) then return end
  end
  addPrioritized(prefix, id, priority)
end
