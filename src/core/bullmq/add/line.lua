--[[
  Puts jobs that have a priority in line. `prefix` is what all keys of the queue begin with.
]]
local enqueue = require("./enqueue")

local function addByPriority(prefix, id, priority, extras)
  -- Each takes prefix, id, priority, and a new job's extras; returns whether it has put the job in line.
  local putters = require("point:line")
  for _, addToLine in ipairs(putters) do
    if addToLine(prefix, id, priority, extras) then return end
  end
  enqueue.addPrioritized(prefix, id, priority)
end

return { addByPriority = addByPriority }
