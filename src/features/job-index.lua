--[[
  An index of jobs by names that each of them has: for each name a sorted set of its jobs, scored by submission in milliseconds; and all names
  of the queue, scored by when the sweep last looked at them. BullMQ removes jobs without a word to us, so entries can outlive them.

  `index` has `option`, the member of a job's options with its names, `set`, what the key of each name's set begins with, and `all`, the key of
  all names, both without `prefix`, with which all keys of the queue begin.
]]
local bullmq = require("../core/bullmq/names")

-- A job's options have its names.
local function namesOf(index, prefix, id)
  local options = redis.call("HGET", prefix .. id, bullmq.OPTIONS)
  if not options or not string.find(options, '"' .. index.option .. '":[', 1, true) then return {} end
  local isJson, decoded = pcall(cjson.decode, options)
  local names = isJson and type(decoded) == "table" and decoded[index.option]
  return type(names) == "table" and names or {}
end

local function addJob(index, placing, id, names)
  for _, name in ipairs(names) do
    redis.call("ZADD", placing.prefix .. index.set .. name, placing.submittedAt, id)
    redis.call("ZADD", placing.prefix .. index.all, "NX", placing.submittedAt, name)
  end
end

local function removeJob(index, prefix, id)
  for _, name in ipairs(namesOf(index, prefix, id)) do redis.call("ZREM", prefix .. index.set .. tostring(name), id) end
end

return { namesOf = namesOf, addJob = addJob, removeJob = removeJob }
