--[[
  A queue that was resumed slowly: at first one of its jobs may be active, in the end as many as its workers have slots. `ramp`, in the settings
  of a partition, is since when, in milliseconds, for how many of them, how many slots are this partition's share, and how many partitions
  share them. Without it a claim looks at nothing of this.
]]

-- Nothing for what another tool has written.
local function read(ramp)
  local since, overMs, slots, partitions = string.match(ramp, "^(%d+) (%d+) ([1-9]%d*) ([1-9]%d*)$")
  return since and { since = tonumber(since), overMs = tonumber(overMs), slots = tonumber(slots), partitions = tonumber(partitions) }
end

-- How many may be active now, and when one more may; nothing once it is over.
local function roomAt(stored, now)
  local ramp = read(stored)
  if not ramp then return end
  local slots, overMs = ramp.slots, ramp.overMs
  local elapsed = now - ramp.since
  if elapsed >= overMs then return end
  local most = math.max(1, math.floor(slots * elapsed / overMs))
  return most, ramp.since + math.min(overMs, math.ceil((most + 1) * overMs / slots))
end

-- Of the living workers; a quiet one has only what it runs.
local function slotsOf(workersKey, seenKey, seenFrom)
  local slots = 0
  for _, name in ipairs(redis.call("ZRANGEBYSCORE", seenKey, seenFrom, "+inf")) do
    local heartbeat = redis.call("HGET", workersKey, name)
    local isReadable, worker = pcall(cjson.decode, heartbeat or "{}")
    if isReadable and type(worker) == "table" then
      slots = slots + (tonumber(worker[worker.isQuiet == true and "running" or "concurrency"]) or 0)
    end
  end
  return slots
end

-- `ramp`: since, overMs, partitions. `keys`: meta, workers, seen. The slots are those that there are now, up to the partition's limit.
local function store(keys, ramp, seenFrom)
  local share = math.floor(slotsOf(keys.workers, keys.seen, seenFrom) / ramp.partitions)
  local limit = tonumber(redis.call("HGET", keys.meta, "concurrency") or share)
  local slots = math.max(1, math.min(share, limit))
  redis.call("HSET", keys.meta, "ramp", string.format("%.0f %.0f %.0f %.0f", ramp.since, ramp.overMs, slots, ramp.partitions))
end

-- With the slots of workers that have come, and without those of workers that have gone. One whose clock was set back begins anew.
local function recount(keys, now, seenFrom)
  local stored = redis.call("HGET", keys.meta, "ramp")
  if not stored then return end
  local ramp = read(stored)
  if not ramp or now - ramp.since >= ramp.overMs then return redis.call("HDEL", keys.meta, "ramp") end
  ramp.since = math.min(ramp.since, now)
  store(keys, ramp, seenFrom)
end

return { roomAt = roomAt, store = store, recount = recount }
