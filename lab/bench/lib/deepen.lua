--[[
  Copies a waiting job many times: its hash, its place in the list, and its deduplication key.

  KEYS[1] the waiting list
  ARGV[1] prefix of the queue's keys
  ARGV[2] the job's id, whose last eight characters become a number
  ARGV[3] the first number   ARGV[4] the last
  ARGV[5] the deduplication key, "" for none; its last eight characters become a number, too

  Returns how many jobs wait now.
]]
local prefix, id, dedupKey = ARGV[1], ARGV[2], ARGV[5]

local function numbered(text, number)
  return string.sub(text, 1, -9) .. string.format("%08x", number)
end

for number = tonumber(ARGV[3]), tonumber(ARGV[4]) do
  local copy = numbered(id, number)
  redis.call("COPY", prefix .. id, prefix .. copy)
  if dedupKey ~= "" then
    local copiedKey = numbered(dedupKey, number)
    redis.call("COPY", dedupKey, copiedKey)
    redis.call("SET", copiedKey, copy, "KEEPTTL")
  end
  redis.call("LPUSH", KEYS[1], copy)
end
return redis.call("LLEN", KEYS[1])
