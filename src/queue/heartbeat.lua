--[[
  A worker's sign of life. Whoever has been silent for long is forgotten.

  KEYS[1] workers, what they tell of themselves (hash)   KEYS[2] when they were seen (sorted set)
  ARGV[1] the worker's name   ARGV[2] JSON, what it tells   ARGV[3] milliseconds of silence after which one is forgotten
]]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, silent in ipairs(redis.call("ZRANGEBYSCORE", KEYS[2], "-inf", now - ARGV[3])) do
  redis.call("HDEL", KEYS[1], silent)
  redis.call("ZREM", KEYS[2], silent)
end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
redis.call("ZADD", KEYS[2], now, ARGV[1])
return redis.status_reply("OK")
