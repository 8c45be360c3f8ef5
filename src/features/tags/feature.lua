-- What keeps the index of tags in step with the jobs that have them.
local indexes = require("../job-index")

local TAGS = { option = "tags", set = "tag:", all = "tags" }

local function place(placing, job, extras)
  if extras.tags then indexes.addJob(TAGS, placing, job.id, extras.tags) end
end

local function remove(prefix, id) indexes.removeJob(TAGS, prefix, id) end

-- Of how many sets of this feature a job is a member.
local function members(prefix, id)
  return #indexes.namesOf(TAGS, prefix, id)
end

return { place = place, remove = remove, members = members }
