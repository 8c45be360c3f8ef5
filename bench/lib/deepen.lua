--[[
  Copies a waiting job many times, behind all that wait: hash, place in the list, and held claim where it has one.

  KEYS[1] the waiting list
  ARGV[1] how the keys of the queue begin
  ARGV[2] the job's id; its last eight characters are a number in each copy's
  ARGV[3] the first of those numbers   ARGV[4] the last

  Returns how many jobs wait now.
]]
local prefix, id = ARGV[1], ARGV[2]
local claim = redis.call("HGET", prefix .. id, "claim")

local function numbered(text, number)
  return string.sub(text, 1, -9) .. string.format("%08x", number)
end

for number = tonumber(ARGV[3]), tonumber(ARGV[4]) do
  local copy = numbered(id, number)
  redis.call("COPY", prefix .. id, prefix .. copy)
  if claim then
    local copiedClaim = numbered(claim, number)
    redis.call("HSET", prefix .. copy, "claim", copiedClaim)
    redis.call("COPY", prefix .. "de:" .. claim, prefix .. "de:" .. copiedClaim)
    redis.call("SET", prefix .. "de:" .. copiedClaim, copy, "KEEPTTL")
  end
  redis.call("LPUSH", KEYS[1], copy)
end
return redis.call("LLEN", KEYS[1])
