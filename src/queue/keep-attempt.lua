--[[
  Stores with a job how one of its attempts failed, unless the job is gone.

  KEYS[1] the job   ARGV[1] field   ARGV[2] JSON
]]
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], ARGV[1], ARGV[2]) end
return redis.status_reply("OK")
