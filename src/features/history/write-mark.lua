--[[
  Adds a mark to a queue's charts, unless the latest ones have the same kind and are younger than a given time: a wave of
  restarts is one mark. Atomic: of many workers that start at once, one adds it.

  KEYS[1] marks (stream)
  ARGV[1] kind   ARGV[2] text, encrypted where there are keys   ARGV[3] by whom   ARGV[4] milliseconds   ARGV[5] how many marks are kept

  Returns 1 if it was added
]]
-- @include ../../platform/redis/now.lua

local RECENT = 20

for _, entry in ipairs(redis.call("XREVRANGE", KEYS[1], "+", nowMs() - ARGV[4], "COUNT", RECENT)) do
  if entry[2][2] == ARGV[1] then return 0 end
end
redis.call("XADD", KEYS[1], "MAXLEN", ARGV[5], "*", "kind", ARGV[1], "coded", ARGV[2], "by", ARGV[3])
return 1
