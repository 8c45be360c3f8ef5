--[[
  Takes the entries of an audit log that no process has logged. Atomic: of many processes, each entry goes to one.
]]
local call = command({
  keys = {
    -- Audit log (stream).
    "audit",
    -- Id of the entry that was logged last.
    "last",
  },
  arguments = {
    -- How many at most.
    "most",
  },
  returns = [[
    entries as XRANGE has them. The first call of all returns none: it begins behind what is there.
  ]],
  whenFull = "runs",
})

local last = redis.call("GET", call.last)
if not last then
  local latest = redis.call("XREVRANGE", call.audit, "+", "-", "COUNT", 1)[1]
  redis.call("SET", call.last, latest and latest[1] or "0-0")
  return {}
end
local entries = redis.call("XRANGE", call.audit, "(" .. last, "+", "COUNT", call.most)
if #entries > 0 then redis.call("SET", call.last, entries[#entries][1]) end
return entries
