--[[
  Releases a deduplication key, unless another job holds it.
]]
local call = command({
  keys = {
    -- The key.
    "dedupKey",
  },
  arguments = {
    -- The id of the job that holds it.
    "holder",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})

if redis.call("GET", call.dedupKey) == call.holder then redis.call("DEL", call.dedupKey) end
return redis.status_reply("OK")
