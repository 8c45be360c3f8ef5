--[[
  Takes a job that waits out of where it waits. `prefix` is what all keys of the queue begin with.
]]
local held = require("../held")

-- `state` and `isHeld` are as jobState has them; the job is neither active nor ended.
local function takeOut(prefix, id, state, isHeld)
  if isHeld then
    held.letGo(prefix, id)
  elseif state ~= "waiting" then
    redis.call("ZREM", prefix .. state, id)
  elseif redis.call("LREM", prefix .. "wait", -1, id) == 0 then
    -- Long lists are searched from the end that workers take from.
    redis.call("LREM", prefix .. "paused", -1, id)
  end
end

return { takeOut = takeOut }
