--[[
  Lets held jobs in whose time has come. `prefix` is what all keys of the queue begin with.
]]
local held = require("./held")
local inLine = require("./put-in-line")

-- Some milliseconds of Redis's time. The others are let in by the next claim.
local LET_IN_MAX = 100

-- Returns how many were let in.
local function letDueIn(prefix, now)
  local due = redis.call("ZRANGEBYSCORE", prefix .. "held:due", "-inf", "(" .. now + 1, "LIMIT", 0, LET_IN_MAX)
  for _, id in ipairs(due) do
    if held.letGo(prefix, id) then inLine.putInLine(prefix, id, 0, now, "waiting-children") end
  end
  return #due
end

return { letDueIn = letDueIn }
