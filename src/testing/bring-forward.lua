#!lua
--[[
  Makes each delayed job due earlier, also one that is held, as if time had passed, and wakes a worker. For tests.

  KEYS[1] delayed jobs; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] milliseconds

  Returns how many jobs are delayed
]]
-- @include ../core/bullmq/add/enqueue.lua
-- @include ../features/rate/tokens.lua

local ms = tonumber(ARGV[2])

local function coolTokens(key)
  local tokens = redis.call("ZRANGEBYSCORE", key, "-inf", BELOW_HELD, "WITHSCORES")
  for at = 1, #tokens, 2 do
    local score = tonumber(tokens[at + 1])
    redis.call("ZADD", key, score < 0 and math.min(score + ms, -1) or math.max(score - ms, 1), tokens[at])
  end
end

local found = redis.call("ZRANGE", KEYS[1], 0, -1, "WITHSCORES")
for at = 1, #found, 2 do
  redis.call("ZADD", KEYS[1], math.max(0, found[at + 1] - ms * DUE_SCALE), found[at])
end
for _, id in ipairs(redis.call("ZRANGE", ARGV[1] .. "waiting-children", 0, -1)) do
  local mayRunAt = redis.call("HGET", ARGV[1] .. id, "heldAs")
  if mayRunAt then redis.call("HSET", ARGV[1] .. id, "heldAs", mayRunAt - ms) end
end
local due = redis.call("ZRANGE", ARGV[1] .. "held:due", 0, -1, "WITHSCORES")
for at = 1, #due, 2 do redis.call("ZADD", ARGV[1] .. "held:due", math.max(0, due[at + 1] - ms), due[at]) end
for _, key in ipairs(redis.call("KEYS", rateKey(ARGV[1], "*"))) do coolTokens(key) end
if #found + #due > 0 then wakeWorker(ARGV[1]) end
return #found / 2
