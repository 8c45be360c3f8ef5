--[[
  Tells a job's state together with its fields. Atomic, so that the two never disagree.

  The state is found by elimination: the sorted sets answer in O(log n), the list of active jobs is as short as the
  workers' concurrency, and the list of waiting jobs, which can hold millions, is never looked at.

  KEYS[1] the job's hash
  KEYS[2] completed   KEYS[3] failed   KEYS[4] delayed   KEYS[5] prioritized   (sorted sets)
  KEYS[6] active      (list)
  ARGV[1] the job's id
  ARGV[2…] the fields to read

  Returns nil when there is no such job, else { state, due, field… }; due is BullMQ's score of a delayed job
  (milliseconds × 4096), else false.
]]
local values = redis.call("HMGET", KEYS[1], unpack(ARGV, 2))
if not values[1] then return nil end

local function tell(state, due)
  return { state, due or false, unpack(values, 1, #ARGV - 1) }
end

if redis.call("ZSCORE", KEYS[2], ARGV[1]) then return tell("completed") end
if redis.call("ZSCORE", KEYS[3], ARGV[1]) then return tell("failed") end
if redis.call("LPOS", KEYS[6], ARGV[1]) then return tell("active") end
if redis.call("ZSCORE", KEYS[5], ARGV[1]) then return tell("prioritized") end
local due = redis.call("ZSCORE", KEYS[4], ARGV[1])
if due then return tell("delayed", due) end
return tell("waiting")
