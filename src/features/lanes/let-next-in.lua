--[[
  Lets the next jobs of lanes in after ends of jobs. A job that has not ended after all stays in its lane. Atomic for each lane: of two
  workers, one finds the room.
]]
local call = command({
  keys = { "lanes" },
  arguments = {
    "prefix",
    -- For each job: its id and its lane.
    "...",
  },
  returns = [[how many jobs were let in]],
  whenFull = "runs",
})
local clock = require("../../platform/redis/now")
local lettingIn = require("./let-in")

local prefix, now, count = call.prefix, clock.nowMs(), 0
for at = call.firstArgument, #ARGV, 2 do
  if not lettingIn.stillRuns(prefix, ARGV[at]) then
    redis.call("ZREM", prefix .. "lane:" .. ARGV[at + 1], ARGV[at])
    count = count + lettingIn.letIn(prefix, ARGV[at + 1], now)
  end
end
return count
