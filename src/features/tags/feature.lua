-- What keeps the index of tags in step with the jobs that have them.
local tagSets = require("./tags")

local function place(placing, job, extras)
  for _, tag in ipairs(extras.tags or {}) do
    redis.call("ZADD", tagSets.tagKey(placing.prefix, tag), placing.submittedAt, job.id)
    redis.call("ZADD", placing.prefix .. "tags", "NX", placing.submittedAt, tag)
  end
end

local function remove(prefix, id)
  for _, tag in ipairs(tagSets.tagsOf(prefix, id)) do redis.call("ZREM", tagSets.tagKey(prefix, tostring(tag)), id) end
end

-- Of how many sets of this feature a job is a member.
local function members(prefix, id)
  return #tagSets.tagsOf(prefix, id)
end

return { place = place, remove = remove, members = members }
