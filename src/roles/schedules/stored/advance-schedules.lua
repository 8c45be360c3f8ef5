--[[
  Notes how far schedulers have come with schedules. Atomic for each: not if it has another version by now, or if another scheduler has
  come further.
]]
local call = command({
  keys = {
    -- The index: names by when to look at them.
    "due",
  },
  arguments = {
    -- What the keys of the schedules begin with then for each five: its name, its version and how far it was done, "" for both if its
    -- hash is gone; how far it is done now; when to look at it again, "" for never.
    "schedulePrefix",
    "...",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})

for at = call.firstArgument, #ARGV, 5 do
  local name, version, before, done, lookAt = unpack(ARGV, at, at + 4)
  local hash = call.schedulePrefix .. name
  local found = redis.call("HMGET", hash, "version", "done")
  if (found[1] or "") == version and (found[2] or "") == before then
    if version ~= "" then redis.call("HSET", hash, "done", done) end
    if lookAt == "" then redis.call("ZREM", call.due, name) else redis.call("ZADD", call.due, lookAt, name) end
  end
end
return redis.status_reply("OK")
