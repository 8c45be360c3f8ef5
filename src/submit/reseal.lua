--[[
  Writes a text anew, unless somebody has written another one meanwhile.

  KEYS[1] where it lies   ARGV[1] as it was found   ARGV[2] as it is to be
]]
if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("SET", KEYS[1], ARGV[2]) end
return redis.status_reply("OK")
