--[[
  Withdraws jobs from a BullMQ queue that no worker has claimed: keeps them under names of ours. Atomic: a job that this withdraws,
  no worker of BullMQ gets, and the other way round; a job is never nowhere.
]]
local call = command({
  keys = {
    -- Delayed jobs.
    "delayed",
    -- Prioritized jobs.
    "prioritized",
    -- Waiting jobs.
    "waiting",
    -- Those of a paused queue, before BullMQ 6.
    "paused",
    -- Job schedulers.
    "schedulers",
    -- The events' stream.
    "events",
    -- The withdrawn jobs: by id, when, from when they may run, and as which type.
    "withdrawn",
  },
  arguments = {
    "prefix",
    "type",
    -- How far from the end of a list a job is looked for: a list may have a million, and most jobs that are gone were claimed meanwhile.
    "depth",
    -- Job ids.
    "...",
  },
  returns = [[the ids of those withdrawn]],
  whenFull = "stops at its first write",
})
local encodings = require("../../core/bullmq/encodings")
local names = require("../../core/bullmq/names")

local start, typeName, depth = call.prefix, call.type, call.depth
local time = redis.call("TIME")
local now = time[1] .. string.format("%03d", math.floor(time[2] / 1000))

-- As BullMQ does when a job is removed: another one with this deduplication id may be added.
local function releaseDeduplication(id, deduplication)
  local key = deduplication and names.holderKey(start, deduplication)
  if key and redis.call("GET", key) == id then redis.call("DEL", key, start .. "dn:" .. deduplication) end
end

local function takeFrom(list, id)
  return redis.call("LPOS", list, id, "RANK", -1, "MAXLEN", depth) and redis.call("LREM", list, -1, id) == 1
end

local function takeOut(id)
  if redis.call("ZREM", call.delayed, id) == 1 then return "delayed" end
  if redis.call("ZREM", call.prioritized, id) == 1 then return "prioritized" end
  if takeFrom(call.waiting, id) then return "waiting" end
  if takeFrom(call.paused, id) then return "paused" end
end

local withdrawn = {}
for at = call.firstArgument, #ARGV do
  local id = ARGV[at]
  local key = start .. id
  local scheduler, deduplication = unpack(redis.call("HMGET", key, "rjk", "deid"))
  local isNeeded = scheduler and redis.call("ZSCORE", call.schedulers, scheduler)
  if not isNeeded and redis.call("EXISTS", key) == 1 then
    local score = redis.call("ZSCORE", call.delayed, id)
    local from = takeOut(id)
    if from then
      local due = score and string.format("%.0f", math.floor(tonumber(score) / encodings.DUE_SCALE)) or "0"
      redis.call("RENAME", key, start .. "holdfast:job:" .. id)
      redis.call("HSET", call.withdrawn, id, now .. " " .. due .. " " .. typeName)
      redis.call("DEL", key .. ":logs")
      releaseDeduplication(id, deduplication)
      redis.call("XADD", call.events, "MAXLEN", "~", 10000, "*", "event", "removed", "jobId", id, "prev", from)
      withdrawn[#withdrawn + 1] = id
    end
  end
end
return withdrawn
