--[[
  Claims deduplication keys in a queue for jobs that are about to be added to another one, each unless it is held. The job may
  not exist yet: anybody who finds such a claim adds its job before going on.
]]
local call = command({
  keys = { "epoch" },
  arguments = {
    "prefix",
    "epochId",
    "epochCount",
    -- For each: deduplication key, job id, milliseconds to hold the key.
    "...",
  },
  returns = [[
    for each key the id that held it before, or false where it is now held for this job; 0 where there is no room. Then
    the epoch's count. "other-epoch" where nothing was done.
  ]],
  whenFull = "stops at its first write",
})
local epochs = require("../../../platform/redis/fitness/epoch")
local memory = require("../../../platform/redis/fitness/memory")
local names = require("../names")

local FIELDS = 3
if not epochs.isEpoch(call.epoch, call.epochId, call.epochCount) then return "other-epoch" end

-- Where its job would be refused, no claim may stay behind.
local isFull = not memory.hasRoom()

local function claim(dedupKey, id, ms)
  local key = names.holderKey(call.prefix, dedupKey)
  if isFull then return redis.call("GET", key) or 0 end
  local holder = redis.call("SET", key, id, "PX", ms, "NX", "GET")
  -- Claimed again while its job is being added: it must outlive that job's own claim.
  if holder == id and redis.call("PTTL", key) < tonumber(ms) then redis.call("PEXPIRE", key, ms) end
  return holder
end

local holders = {}
for at = call.firstArgument, #ARGV, FIELDS do
  holders[#holders + 1] = claim(unpack(ARGV, at, at + FIELDS - 1))
end
holders[#holders + 1] = epochs.countChange(call.epoch)
return holders
