--[[
  Stores a worker's heartbeat, and forgets workers that sent none for long.

  KEYS[1] workers (hash)   KEYS[2] when they were seen (sorted set)
  ARGV[1] the worker's name   ARGV[2] its heartbeat, as JSON   ARGV[3] milliseconds after which a worker is forgotten, "" to forget none
]]
-- @include ../../platform/redis/now.lua

local now = nowMs()
local silent = ARGV[3] == "" and {} or redis.call("ZRANGEBYSCORE", KEYS[2], "-inf", now - ARGV[3])
for _, name in ipairs(silent) do
  redis.call("HDEL", KEYS[1], name)
  redis.call("ZREM", KEYS[2], name)
end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
redis.call("ZADD", KEYS[2], now, ARGV[1])
return redis.status_reply("OK")
