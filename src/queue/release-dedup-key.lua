--[[
  Gives a claim back, unless it is held for another job by now.

  KEYS[1] claim   ARGV[1] the id that it is held for
]]
if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("DEL", KEYS[1]) end
return redis.status_reply("OK")
