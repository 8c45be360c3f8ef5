-- What keeps the index of searchable values, as hashes, in step with the jobs that have them.
local indexes = require("../job-index")

local VALUES = { option = "search", set = "search:", all = "searches" }

local function place(placing, job, extras)
  if extras.search then indexes.addJob(VALUES, placing, job.id, extras.search) end
end

local function remove(prefix, id) indexes.removeJob(VALUES, prefix, id) end

-- Of how many sets of this feature a job is a member.
local function members(prefix, id)
  return #indexes.namesOf(VALUES, prefix, id)
end

return { place = place, remove = remove, members = members }
