--[[
  Counts the next jobs of a queue by the key that they are encrypted with; "" for those that are not encrypted.

  KEYS[1] any key of the queue, for its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] how many to read of each list

  Returns { key id, count, key id, count, … }
]]
local prefix, last = ARGV[1], ARGV[2] - 1
local counts, found = {}, {}

local function count(ids)
  for _, id in ipairs(ids) do
    local key = string.match(redis.call("HGET", prefix .. id, "data") or "", '^"hf1%.([%w_-]+)%.') or ""
    counts[key] = (counts[key] or 0) + 1
  end
end

count(redis.call("LRANGE", prefix .. "wait", -ARGV[2], -1))
count(redis.call("ZRANGE", prefix .. "prioritized", 0, last))
count(redis.call("ZRANGE", prefix .. "delayed", 0, last))
count(redis.call("ZRANGE", prefix .. "waiting-children", 0, last))
for key, jobs in pairs(counts) do
  found[#found + 1] = key
  found[#found + 1] = jobs
end
return found
