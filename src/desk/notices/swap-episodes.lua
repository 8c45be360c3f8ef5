--[[
  Replaces the list of what people are told, if it still is what the caller has read. Atomic: of several that have looked at the same
  moment, one decides.
]]
local call = command({
  keys = { "episodes" },
  arguments = {
    -- What the caller read there, empty for none.
    "before",
    -- What it is to be.
    "after",
  },
  returns = [[1, or 0 if it is something else by now]],
  whenFull = "runs",
})

if (redis.call("GET", call.episodes) or "") ~= call.before then return 0 end
redis.call("SET", call.episodes, call.after)
return 1
