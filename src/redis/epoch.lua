--[[
  The epoch of a queue: an id, and a count of the changes that promises rest on. Included by other scripts.
]]

-- Whether this is the epoch that a process has seen. Another id, or a lower count, means that Redis has lost data.
-- Also returns the present count.
local function isEpoch(key, id, count)
  local known, counted = unpack(redis.call("HMGET", key, "id", "count"))
  return known == id and tonumber(counted) >= tonumber(count), tonumber(counted)
end

local function countChange(key)
  return redis.call("HINCRBY", key, "count", 1)
end
