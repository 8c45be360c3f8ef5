-- What leaves a sum of ended jobs: one that is removed, and one that is retried.
local sums = require("./budget")

local function remove(prefix, id, state)
  sums.uncountJob(prefix, id, state)
end

local function retry(prefix, id)
  sums.uncountJob(prefix, id, "failed")
end

return { remove = remove, retry = retry }
