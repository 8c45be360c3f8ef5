--[[
  Puts a new version of a schedule, or ends it. Atomic: the version is in force from Redis's time on, and the one before until then.

  KEYS[1] the index: names by when to look at them   KEYS[2] the names that exist
  KEYS[3] the schedule's hash: `version`, the latest; `done`, up to when schedulers have submitted its ticks; of each version, by its
    number, since when it is in force, a space, and its definition, empty where the schedule was deleted
  ARGV[1] the schedule's name   ARGV[2] the version that was read, "0" for none   ARGV[3] the definition, or "" to delete it
  ARGV[4] how long a deleted schedule is remembered, in milliseconds   ARGV[5…] versions to forget

  Returns 1, or 0 if it has another version by now
]]
-- @include ../../../platform/redis/now.lua

local due, names, hash = KEYS[1], KEYS[2], KEYS[3]
local name, definition = ARGV[1], ARGV[3]
local found = redis.call("HMGET", hash, "version", "done")
if (found[1] or "0") ~= ARGV[2] then return 0 end

local now = nowText()
-- Redis's clock was set back: its schedulers have seen later ticks than these.
local since = found[2] and tonumber(found[2]) > tonumber(now) and found[2] or now
for at = 5, #ARGV do redis.call("HDEL", hash, ARGV[at]) end
local version = redis.call("HINCRBY", hash, "version", 1)
redis.call("HSET", hash, version, since .. " " .. definition)
if not found[2] then redis.call("HSET", hash, "done", since) end
local lookAt = redis.call("ZSCORE", due, name)
if not lookAt or tonumber(lookAt) > tonumber(now) then redis.call("ZADD", due, now, name) end
if definition == "" then
  redis.call("ZREM", names, name)
  redis.call("PEXPIRE", hash, ARGV[4])
else
  redis.call("ZADD", names, 0, name)
  redis.call("PERSIST", hash)
end
return 1
