--[[
  Tells jobs' states together with their fields. Atomic, so that the two never disagree; that many jobs are read in one
  call only saves time.

  The state is found by elimination: the sorted sets answer in O(log n), the list of active jobs is as short as the
  workers' concurrency, and the list of waiting jobs, which can hold millions, is never looked at.

  KEYS[1] completed   KEYS[2] failed   KEYS[3] delayed   KEYS[4] prioritized   (sorted sets)
  KEYS[5] active      (list)
  ARGV[1] how the keys of jobs begin   ARGV[2] how the names of ledgers begin; a job's claim completes one. Both lie in
    the same slot as the lists
  ARGV[3] how many fields to read   ARGV[4…] their names; the first is one that every job has, the second the
    claim, which a job has once it has asked for an effect   then the jobs' ids

  Returns for each job false when there is none, else { state, due, effects, field… }; due is BullMQ's score of a delayed
  job (milliseconds × 4096), else false; effects is { name, entry, name, entry, … }.
]]
local count = tonumber(ARGV[3])

local function effectsOf(claim)
  local told = {}
  if not claim then return told end
  local ledger = ARGV[2] .. claim
  local names = redis.pcall("HKEYS", ledger)
  if names.err then return told end
  for _, field in ipairs(names) do
    if string.sub(field, 1, 2) == "e:" then
      told[#told + 1] = string.sub(field, 3)
      told[#told + 1] = redis.call("HGET", ledger, field)
    end
  end
  return told
end

local function stateOf(id)
  if redis.call("ZSCORE", KEYS[1], id) then return "completed" end
  if redis.call("ZSCORE", KEYS[2], id) then return "failed" end
  if redis.call("LPOS", KEYS[5], id) then return "active" end
  if redis.call("ZSCORE", KEYS[4], id) then return "prioritized" end
  local due = redis.call("ZSCORE", KEYS[3], id)
  if due then return "delayed", due end
  return "waiting"
end

local function read(id)
  -- What is no hash is no job of ours, and must not keep the others from being read.
  local values = redis.pcall("HMGET", ARGV[1] .. id, unpack(ARGV, 4, 3 + count))
  if values.err or not values[1] then return false end
  local state, due = stateOf(id)
  return { state, due or false, effectsOf(values[2]), unpack(values, 1, count) }
end

local told = {}
for at = 4 + count, #ARGV do
  told[#told + 1] = read(ARGV[at])
end
return told
