--[[
  Copies a waiting job many times, behind all that wait: hash, place in the list, and what holds its idempotency key.

  KEYS[1] the waiting list
  ARGV[1] how the keys of the queue begin
  ARGV[2] the job's id; its last eight characters are a number in each copy's
  ARGV[3] the first of those numbers   ARGV[4] the last
  ARGV[5] the key that holds the idempotency key, "" for none; its last eight characters are a number, too

  Returns how many jobs wait now.
]]
local prefix, id, claim = ARGV[1], ARGV[2], ARGV[5]

local function numbered(text, number)
  return string.sub(text, 1, -9) .. string.format("%08x", number)
end

for number = tonumber(ARGV[3]), tonumber(ARGV[4]) do
  local copy = numbered(id, number)
  redis.call("COPY", prefix .. id, prefix .. copy)
  if claim ~= "" then
    local copiedClaim = numbered(claim, number)
    redis.call("COPY", claim, copiedClaim)
    redis.call("SET", copiedClaim, copy, "KEEPTTL")
  end
  redis.call("LPUSH", KEYS[1], copy)
end
return redis.call("LLEN", KEYS[1])
