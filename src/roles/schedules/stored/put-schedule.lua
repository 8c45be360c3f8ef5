--[[
  Puts a new version of a schedule, or ends it. Atomic: the version is in force from Redis's time on, and the one before until then.
]]
local call = command({
  keys = {
    -- The index: names by when to look at them.
    "due",
    -- The names that exist.
    "names",
    -- The schedule's hash: `version`, the latest; `done`, up to when schedulers have submitted its ticks; of each version, by its
    -- number, since when it is in force, a space, and its definition, empty where the schedule was deleted.
    "schedule",
  },
  arguments = {
    -- The schedule's name.
    "name",
    -- The version that was read, "0" for none.
    "version",
    -- The definition, or "" to delete it.
    "definition",
    -- How long a deleted schedule is remembered, in milliseconds.
    "keepMs",
    -- Versions to forget.
    "...",
  },
  returns = [[1, or 0 if it has another version by now]],
  whenFull = "stops at its first write",
})
local clock = require("../../../platform/redis/now")

local due, names, hash = call.due, call.names, call.schedule
local name, definition = call.name, call.definition
local found = redis.call("HMGET", hash, "version", "done")
if (found[1] or "0") ~= call.version then return 0 end

local now = clock.nowText()
-- Redis's clock was set back: its schedulers have seen later ticks than these.
local since = found[2] and tonumber(found[2]) > tonumber(now) and found[2] or now
for at = call.firstArgument, #ARGV do redis.call("HDEL", hash, ARGV[at]) end
local version = redis.call("HINCRBY", hash, "version", 1)
redis.call("HSET", hash, version, since .. " " .. definition)
if not found[2] then redis.call("HSET", hash, "done", since) end
local lookAt = redis.call("ZSCORE", due, name)
if not lookAt or tonumber(lookAt) > tonumber(now) then redis.call("ZADD", due, now, name) end
if definition == "" then
  redis.call("ZREM", names, name)
  redis.call("PEXPIRE", hash, call.keepMs)
else
  redis.call("ZADD", names, 0, name)
  redis.call("PERSIST", hash)
end
return 1
