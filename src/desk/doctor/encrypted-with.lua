--[[
  Counts the next jobs of a queue by the key that they are encrypted with; "" for those that are not encrypted.
]]
local call = command({
  keys = {
    -- Any key of the queue, for its slot.
    "slot",
  },
  arguments = {
    "prefix",
    -- How many to read of each list.
    "most",
  },
  returns = [[{ key id, count, key id, count, … }]],
  whenFull = "stops at its first write",
})

local prefix, last = call.prefix, call.most - 1
local counts, found = {}, {}

local function count(ids)
  for _, id in ipairs(ids) do
    local key = string.match(redis.call("HGET", prefix .. id, "data") or "", '^"hf1%.([%w_-]+)%.') or ""
    counts[key] = (counts[key] or 0) + 1
  end
end

count(redis.call("LRANGE", prefix .. "wait", -call.most, -1))
count(redis.call("ZRANGE", prefix .. "prioritized", 0, last))
count(redis.call("ZRANGE", prefix .. "delayed", 0, last))
count(redis.call("ZRANGE", prefix .. "waiting-children", 0, last))
for key, jobs in pairs(counts) do
  found[#found + 1] = key
  found[#found + 1] = jobs
end
return found
