--[[
  Withdraws jobs from a BullMQ queue that no worker has claimed: keeps them under names of ours. Atomic: a job that this withdraws,
  no worker of BullMQ gets, and the other way round; a job is never nowhere.

  KEYS[1] delayed jobs   KEYS[2] prioritized jobs   KEYS[3] waiting jobs   KEYS[4] those of a paused queue, before BullMQ 6
  KEYS[5] job schedulers   KEYS[6] the events' stream   KEYS[7] the withdrawn jobs: by id, when, from when they may run, and as which type
  All other keys share their slot.
  ARGV[1] what all keys of the queue begin with   ARGV[2] the type   ARGV[3] how far from the end of a list a job is looked for: a list
    may have a million, and most jobs that are gone were claimed meanwhile   ARGV[4…] job ids

  Returns the ids of those withdrawn
]]
-- @include ../../core/bullmq/names.lua

local start, type, depth = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call("TIME")
local now = time[1] .. string.format("%03d", math.floor(time[2] / 1000))

-- As BullMQ does when a job is removed: another one with this deduplication id may be added.
local function releaseDeduplication(id, deduplication)
  local key = deduplication and holderKey(start, deduplication)
  if key and redis.call("GET", key) == id then redis.call("DEL", key, start .. "dn:" .. deduplication) end
end

local function takeFrom(list, id)
  return redis.call("LPOS", list, id, "RANK", -1, "MAXLEN", depth) and redis.call("LREM", list, -1, id) == 1
end

local function takeOut(id)
  if redis.call("ZREM", KEYS[1], id) == 1 then return "delayed" end
  if redis.call("ZREM", KEYS[2], id) == 1 then return "prioritized" end
  if takeFrom(KEYS[3], id) then return "waiting" end
  if takeFrom(KEYS[4], id) then return "paused" end
end

local withdrawn = {}
for at = 4, #ARGV do
  local id = ARGV[at]
  local key = start .. id
  local scheduler, deduplication = unpack(redis.call("HMGET", key, "rjk", "deid"))
  local isNeeded = scheduler and redis.call("ZSCORE", KEYS[5], scheduler)
  if not isNeeded and redis.call("EXISTS", key) == 1 then
    local score = redis.call("ZSCORE", KEYS[1], id)
    local from = takeOut(id)
    if from then
      local due = score and string.format("%.0f", math.floor(tonumber(score) / DUE_SCALE)) or "0"
      redis.call("RENAME", key, start .. "holdfast:job:" .. id)
      redis.call("HSET", KEYS[7], id, now .. " " .. due .. " " .. type)
      redis.call("DEL", key .. ":logs")
      releaseDeduplication(id, deduplication)
      redis.call("XADD", KEYS[6], "MAXLEN", "~", 10000, "*", "event", "removed", "jobId", id, "prev", from)
      withdrawn[#withdrawn + 1] = id
    end
  end
end
return withdrawn
