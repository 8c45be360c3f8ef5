--[[
  Tells a job's state together with its fields. Atomic, so that the two never disagree.

  The state is found by elimination: the sorted sets answer in O(log n), the list of active jobs is as short as the
  workers' concurrency, and the list of waiting jobs, which can hold millions, is never looked at.

  KEYS[1] the job's hash
  KEYS[2] completed   KEYS[3] failed   KEYS[4] delayed   KEYS[5] prioritized   (sorted sets)
  KEYS[6] active      (list)
  ARGV[1] the job's id
  ARGV[2] how the names of ledgers begin; the job's claim completes it, and the name lies in the same slot
  ARGV[3…] the fields to read; the first is one that every job has, the second BullMQ's name for the claim

  Returns nil when there is no such job, else { state, due, effects, field… }; due is BullMQ's score of a delayed job
  (milliseconds × 4096), else false; effects is { name, entry, name, entry, … }.
]]
local values = redis.call("HMGET", KEYS[1], unpack(ARGV, 3))
if not values[1] then return nil end

local function effects()
  local told = {}
  if not values[2] then return told end
  local ledger = ARGV[2] .. values[2]
  for _, field in ipairs(redis.call("HKEYS", ledger)) do
    if string.sub(field, 1, 2) == "e:" then
      told[#told + 1] = string.sub(field, 3)
      told[#told + 1] = redis.call("HGET", ledger, field)
    end
  end
  return told
end

local function tell(state, due)
  return { state, due or false, effects(), unpack(values, 1, #ARGV - 2) }
end

if redis.call("ZSCORE", KEYS[2], ARGV[1]) then return tell("completed") end
if redis.call("ZSCORE", KEYS[3], ARGV[1]) then return tell("failed") end
if redis.call("LPOS", KEYS[6], ARGV[1]) then return tell("active") end
if redis.call("ZSCORE", KEYS[5], ARGV[1]) then return tell("prioritized") end
local due = redis.call("ZSCORE", KEYS[4], ARGV[1])
if due then return tell("delayed", due) end
return tell("waiting")
