--[[
  The epoch of a queue: an id, and a count of the changes that promises rest on.
]]

-- Whether this is the epoch that a process has seen. Another id, or a lower count, means that Redis has lost data. In a queue that
-- has partitions, their layout follows the id: a process that knows another one does not know where keys are.
-- Also returns the present count.
local function isEpoch(key, id, count)
  local known, counted, layout = unpack(redis.call("HMGET", key, "id", "count", "layout"))
  if layout then known = (known or "") .. " " .. layout end
  return known == id and tonumber(counted) >= tonumber(count), tonumber(counted)
end

local function countChange(key)
  return redis.call("HINCRBY", key, "count", 1)
end

return { isEpoch = isEpoch, countChange = countChange }
