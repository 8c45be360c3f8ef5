#!lua flags=allow-oom
--[[
  Lets the next jobs of lanes in after ends of jobs. A job that has not ended after all stays in its lane. Atomic for each lane: of two
  workers, one finds the room.

  KEYS[1] lanes; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2…] for each job: its id and its lane

  Returns how many jobs were let in
]]
-- @include ./let-in.lua
-- @include ../../platform/redis/now.lua

local prefix, now, count = ARGV[1], nowMs(), 0
for at = 2, #ARGV, 2 do
  if not stillRuns(prefix, ARGV[at]) then
    redis.call("ZREM", prefix .. "lane:" .. ARGV[at + 1], ARGV[at])
    count = count + letIn(prefix, ARGV[at + 1], now)
  end
end
return count
