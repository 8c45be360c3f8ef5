--[[
  Sets limits by hand, or lets the declared ones count again. Atomic: only if the limits that were set by hand are those that somebody has
  seen.
]]
local call = command({
  keys = {
    -- Control (hash).
    "control",
  },
  arguments = {
    -- The limits as JSON, empty for the declared ones.
    "override",
    -- Since when limits by hand counted, in milliseconds; 0 where none did, empty for whatever it is.
    "seen",
  },
  returns = [[1, or 0 if that has changed]],
  whenFull = "stops at its first write",
})

if call.seen ~= "" then
  local known = redis.call("HGET", call.control, "override")
  local since = known and tonumber(cjson.decode(known).since) or 0
  if since ~= tonumber(call.seen) then return 0 end
end
if call.override == "" then
  redis.call("HDEL", call.control, "override")
else
  redis.call("HSET", call.control, "override", call.override)
end
return 1
