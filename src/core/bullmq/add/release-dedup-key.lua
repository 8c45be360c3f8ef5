--[[
  Releases a deduplication key, unless another job holds it.

  KEYS[1] the key   ARGV[1] the id of the job that holds it
]]
if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("DEL", KEYS[1]) end
return redis.status_reply("OK")
