--[[
  Notes the job of the tick that a schedule runs, unless another tick runs by now.

  KEYS[1] the schedule's hash, as decide-tick.lua has it   ARGV[1] the tick   ARGV[2] its job's id
]]
if redis.call("HGET", KEYS[1], "running") == ARGV[1] then redis.call("HSET", KEYS[1], "job", ARGV[2]) end
return redis.status_reply("OK")
