--[[
  Whether a job is still as somebody has seen it, who acts on it now. `prefix` is what all keys of the queue begin with.
]]
local facts = require("./job-facts")

-- seen: JSON of its state, and of when it had ended in milliseconds, 0 for whenever; empty where nobody says what they saw.
local function isAsSeen(prefix, id, state, seen)
  if seen == "" then return true end
  local wanted = cjson.decode(seen)
  return wanted[1] == state and (wanted[2] == 0 or wanted[2] == facts.endedAt(prefix, id))
end

return { isAsSeen = isAsSeen }
