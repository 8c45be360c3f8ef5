--[[
  Replaces a text, unless somebody else has replaced it.
]]
local call = command({
  keys = {
    -- Its key.
    "text",
  },
  arguments = {
    -- The text as it was read.
    "before",
    -- The new text.
    "after",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})

if redis.call("GET", call.text) == call.before then redis.call("SET", call.text, call.after) end
return redis.status_reply("OK")
