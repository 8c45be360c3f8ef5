--[[
  Claims keys in the slot of a queue for jobs that are to be added to another one, each unless it is held. The job may not
  exist yet: whoever finds such a claim adds the job that it names before it goes on.

  KEYS[1] epoch
  ARGV[1] how the keys of the queue begin   ARGV[2] the id of the epoch that the producer has seen, and   ARGV[3] the count
  ARGV[4…] for each key: claim, the job's id, milliseconds to hold the claim

  Returns for each key the id that it was held for, or false where it is now held for the one asked for; 0 where there is no
  room for it. After them the epoch's count. "other-epoch" where nothing was done.
]]
local FIELDS = 3
local FIRST = 4

local epoch, count = unpack(redis.call("HMGET", KEYS[1], "id", "count"))
if epoch ~= ARGV[2] or tonumber(count) < tonumber(ARGV[3]) then return "other-epoch" end

-- Where its job would be refused, no claim is to stay behind.
local isFull = not hasRoom()
local holders = {}
for at = FIRST, #ARGV, FIELDS do
  local name, id, ms = ARGV[1] .. "de:" .. ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local holder
  if isFull then
    holder = redis.call("GET", name) or 0
  else
    holder = redis.call("SET", name, id, "PX", ms, "NX", "GET")
    -- Asked for again, because its job is only being added now: it must not be forgotten before that job's own claim.
    if holder == id and redis.call("PTTL", name) < ms then redis.call("PEXPIRE", name, ms) end
  end
  holders[#holders + 1] = holder
end
holders[#holders + 1] = redis.call("HINCRBY", KEYS[1], "count", 1)
return holders
