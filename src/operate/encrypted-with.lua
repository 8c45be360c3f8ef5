--[[
  Tells which keys the next jobs of a queue are sealed with, and how many with each; "" stands for those that are not sealed.

  KEYS[1] wait   KEYS[2] prioritized   KEYS[3] delayed   ARGV[1] how the keys of jobs begin   ARGV[2] how many of each to read

  Returns { key id, how many, key id, how many, … }
]]
local counts, told = {}, {}
local function count(ids)
  for _, id in ipairs(ids) do
    local key = string.match(redis.call("HGET", ARGV[1] .. id, "data") or "", '^"hf1%.([%w_-]+)%.') or ""
    counts[key] = (counts[key] or 0) + 1
  end
end
-- BullMQ takes from the tail.
count(redis.call("LRANGE", KEYS[1], -ARGV[2], -1))
count(redis.call("ZRANGE", KEYS[2], 0, ARGV[2] - 1))
count(redis.call("ZRANGE", KEYS[3], 0, ARGV[2] - 1))
for key, many in pairs(counts) do
  told[#told + 1] = key
  told[#told + 1] = many
end
return told
