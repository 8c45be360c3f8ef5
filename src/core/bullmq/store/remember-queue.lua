--[[
  Remembers which queue a job type is submitted to, and which ones before. Atomic: an old version of an application that
  submits at the same moment cannot undo what a new one has written.
]]
local call = command({
  keys = {
    -- Queues: for each type the names of its queues, joined by blanks, the latest first.
    "queues",
  },
  arguments = {
    "type",
    -- Its queue.
    "queue",
    -- Its former queues, as its contract declares them.
    "...",
  },
  returns = [["OK"]],
  whenFull = "stops at its first write",
})

local known = redis.call("HGET", call.queues, call.type)
local latest = known and string.match(known, "^%S+")

local isFormer = false
for at = call.firstArgument, #ARGV do isFormer = isFormer or ARGV[at] == latest end
-- A contract that does not declare the latest queue is older than the one that moved the type there.
if latest == call.queue or (latest and not isFormer) then return redis.status_reply("OK") end

local names = { call.queue }
for name in string.gmatch(known or "", "%S+") do
  if name ~= call.queue then names[#names + 1] = name end
end
redis.call("HSET", call.queues, call.type, table.concat(names, " "))
return redis.status_reply("OK")
