--[[
  Claims deduplication keys in a queue for jobs that are about to be added to another one, each unless it is held. The job may
  not exist yet: anybody who finds such a claim adds its job before going on.

  KEYS[1] epoch; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2], ARGV[3] id and count of the epoch that the producer has seen
  ARGV[4…] for each: deduplication key, job id, milliseconds to hold the key

  Returns for each key the id that held it before, or false where it is now held for this job; 0 where there is no room. Then
  the epoch's count. "other-epoch" where nothing was done.
]]
-- @include ../names.lua
-- @include ../../../platform/redis/fitness/epoch.lua
-- @include ../../../platform/redis/fitness/memory.lua

local FIRST, FIELDS = 4, 3
if not isEpoch(KEYS[1], ARGV[2], ARGV[3]) then return "other-epoch" end

-- Where its job would be refused, no claim may stay behind.
local isFull = not hasRoom()

local function claim(dedupKey, id, ms)
  local key = holderKey(ARGV[1], dedupKey)
  if isFull then return redis.call("GET", key) or 0 end
  local holder = redis.call("SET", key, id, "PX", ms, "NX", "GET")
  -- Claimed again while its job is being added: it must outlive that job's own claim.
  if holder == id and redis.call("PTTL", key) < tonumber(ms) then redis.call("PEXPIRE", key, ms) end
  return holder
end

local holders = {}
for at = FIRST, #ARGV, FIELDS do
  holders[#holders + 1] = claim(unpack(ARGV, at, at + FIELDS - 1))
end
holders[#holders + 1] = countChange(KEYS[1])
return holders
