--[[
  Replaces a text, unless somebody else has replaced it.

  KEYS[1] its key   ARGV[1] the text as it was read   ARGV[2] the new text
]]
if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("SET", KEYS[1], ARGV[2]) end
return redis.status_reply("OK")
