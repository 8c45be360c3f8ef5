#!lua flags=allow-oom
--[[
  Returns the entries of an audit log that no process has logged. Atomic: of many processes, each entry goes to one.

  KEYS[1] audit log (stream)   KEYS[2] id of the entry that was logged last
  ARGV[1] how many at most

  Returns them as XRANGE does. The first call of all returns none: it begins behind what is there.
]]
local last = redis.call("GET", KEYS[2])
if not last then
  local latest = redis.call("XREVRANGE", KEYS[1], "+", "-", "COUNT", 1)[1]
  redis.call("SET", KEYS[2], latest and latest[1] or "0-0")
  return {}
end
local entries = redis.call("XRANGE", KEYS[1], "(" .. last, "+", "COUNT", ARGV[1])
if #entries > 0 then redis.call("SET", KEYS[2], entries[#entries][1]) end
return entries
