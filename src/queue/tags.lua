--[[
  The index of tags: for each tag a sorted set of the jobs that have it, scored by submission in milliseconds; and all tags of the
  queue, scored by when the sweep last looked at them. BullMQ removes jobs without a word to us, so entries can outlive them.
  Included by other scripts. `prefix` is what all keys of the queue begin with.
]]

local function tagKey(prefix, tag)
  return prefix .. "tag:" .. tag
end

local function indexTags(prefix, id, tags, submittedAt)
  for _, tag in ipairs(tags) do
    redis.call("ZADD", tagKey(prefix, tag), submittedAt, id)
    redis.call("ZADD", prefix .. "tags", "NX", submittedAt, tag)
  end
end

-- A job's options name its tags.
local function tagsIn(options)
  if not options or not string.find(options, '"tags":[', 1, true) then return {} end
  local isJson, decoded = pcall(cjson.decode, options)
  return isJson and type(decoded) == "table" and type(decoded.tags) == "table" and decoded.tags or {}
end

local function removeFromTags(prefix, id, options)
  for _, tag in ipairs(tagsIn(options)) do redis.call("ZREM", tagKey(prefix, tostring(tag)), id) end
end
