--[[
  Reads of jobs what acts on many care about. One reply for all is quicker than one for each, and has no results, which can be large.
]]
local call = command({
  keys = {
    -- The jobs share its slot.
    "failed",
  },
  arguments = {
    "prefix",
    -- Ids.
    "...",
  },
  returns = [[for each: type, latest reason to fail, when it ended, mark of a cancellation, "1" where it completed; "" for what is not there]],
  whenFull = "writes nothing",
})

local kinds = {}
for at = call.firstArgument, #ARGV do
  local key = call.prefix .. ARGV[at]
  -- A key that holds no job has no fields.
  local job = redis.pcall("HMGET", key, "name", "failedReason", "finishedOn", "defa")
  local isJob = not job.err
  for field = 1, 4 do kinds[#kinds + 1] = isJob and job[field] or "" end
  kinds[#kinds + 1] = isJob and redis.call("HEXISTS", key, "returnvalue") == 1 and "1" or ""
end
return kinds
