-- How much of Redis's memory a job takes.
local removal = require("../../core/bullmq/end/remove-ended-job")

-- All fields of a job are measured; of a parent's lists so many entries, and the rest counts as like them.
local MEASURED_MAX = 64

-- In bytes: what goes with the job, without its members in sets. 0 where there is none.
local function jobBytes(prefix, id)
  local keys = removal.jobKeys(prefix, id)
  local function bytesOf(key)
    return redis.call("MEMORY", "USAGE", key, "SAMPLES", MEASURED_MAX) or 0
  end
  local bytes = bytesOf(keys[1])
  -- Most jobs have no other key.
  if redis.call("EXISTS", unpack(keys, 2)) == 0 then return bytes end
  for at = 2, #keys do bytes = bytes + bytesOf(keys[at]) end
  return bytes
end

return { jobBytes = jobBytes }
