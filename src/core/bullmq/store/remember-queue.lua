--[[
  Remembers which queue a job type is submitted to, and which ones before. Atomic: an old version of an application that
  submits at the same moment cannot undo what a new one has written.

  KEYS[1] queues: for each type the names of its queues, joined by blanks, the latest first
  ARGV[1] type   ARGV[2] its queue   ARGV[3…] its former queues, as its contract declares them

  Returns "OK"
]]
local known = redis.call("HGET", KEYS[1], ARGV[1])
local latest = known and string.match(known, "^%S+")

local isFormer = false
for at = 3, #ARGV do isFormer = isFormer or ARGV[at] == latest end
-- A contract that does not declare the latest queue is older than the one that moved the type there.
if latest == ARGV[2] or (latest and not isFormer) then return redis.status_reply("OK") end

local names = { ARGV[2] }
for name in string.gmatch(known or "", "%S+") do
  if name ~= ARGV[2] then names[#names + 1] = name end
end
redis.call("HSET", KEYS[1], ARGV[1], table.concat(names, " "))
return redis.status_reply("OK")
