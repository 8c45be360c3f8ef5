--[[
  The index of tags: for each tag a sorted set of the jobs that have it, scored by submission in milliseconds; and all tags of the
  queue, scored by when the sweep last looked at them. BullMQ removes jobs without a word to us, so entries can outlive them.
  `prefix` is what all keys of the queue begin with.
]]

local function tagKey(prefix, tag)
  return prefix .. "tag:" .. tag
end

-- A job's options name its tags.
local function tagsOf(prefix, id)
  local options = redis.call("HGET", prefix .. id, "opts")
  if not options or not string.find(options, '"tags":[', 1, true) then return {} end
  local isJson, decoded = pcall(cjson.decode, options)
  return isJson and type(decoded) == "table" and type(decoded.tags) == "table" and decoded.tags or {}
end

return { tagKey = tagKey, tagsOf = tagsOf }
