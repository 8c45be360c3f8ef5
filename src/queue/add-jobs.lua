--[[
  Adds jobs to one queue, each unless its claim is held. What it leaves in the store is what BullMQ's own scripts for one
  job would leave, job by job; only what concerns the queue as a whole is read and written once for all of them.
  Atomic, so that there is no moment at which a claim is held and its job does not exist.

  KEYS[1] wait   KEYS[2] delayed   KEYS[3] prioritized   KEYS[4] pc (BullMQ's counter of priorities)   KEYS[5] active
  KEYS[6] marker   KEYS[7] events   KEYS[8] meta   KEYS[9] id (BullMQ's counter of jobs)   KEYS[10] epoch
  ARGV[1] how the keys of the queue begin; the jobs' own keys lie in the same slot
  ARGV[2] the id of the epoch that the producer has seen, and   ARGV[3] the count: a store that has less has lost keys, too
  ARGV[4…] for each job: id, name, data, options, claim, milliseconds to hold the claim, delay in milliseconds, priority

  Returns for each job the id of the one that holds its claim, or false where that is the job itself, now added; 0 where
  there is no room for it. After them the epoch's count. "other-epoch" where nothing was done.
]]
local FIELDS = 8
local FIRST = 4
local prefix = ARGV[1]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local submittedAt = string.format("%.0f", now)

local epoch, count, unlooked = unpack(redis.call("HMGET", KEYS[10], "id", "count", "unlooked"))
if epoch ~= ARGV[2] or tonumber(count) < tonumber(ARGV[3]) then return "other-epoch" end

-- To look takes longer than to add a job, so that while there is room only one in eight jobs is looked for: what comes in
-- between, at most 7 MiB, is less than what is left.
local UNLOOKED_MAX = 7
unlooked = (unlooked or UNLOOKED_MAX) + (#ARGV - FIRST + 1) / FIELDS
local isDue = unlooked > UNLOOKED_MAX
local holders = {}
if isDue and not hasRoom() then
  -- Who repeats a request learns of the first job all the same: that takes no room.
  for at = FIRST, #ARGV, FIELDS do
    holders[#holders + 1] = redis.call("GET", prefix .. "de:" .. ARGV[at + 4]) or 0
  end
  holders[#holders + 1] = tonumber(count)
  return holders
end

local meta = redis.call("HMGET", KEYS[8], "opts.maxLenEvents", "paused", "concurrency")
local maxEvents = meta[1]
if not maxEvents then
  maxEvents = 10000
  redis.call("HSET", KEYS[8], "opts.maxLenEvents", maxEvents)
end
local takesNone = meta[2] or (meta[3] and redis.call("LLEN", KEYS[5]) >= tonumber(meta[3]))

local function emit(...)
  redis.call("XADD", KEYS[7], "MAXLEN", "~", maxEvents, "*", "event", ...)
end

-- Up to 4096 jobs of one millisecond keep their order.
local function delayUntil(due, id)
  local least, most = due * 4096, due * 4096 + 4095
  local last = redis.call("ZREVRANGEBYSCORE", KEYS[2], most, least, "WITHSCORES", "LIMIT", 0, 1)[2]
  redis.call("ZADD", KEYS[2], last and math.min(tonumber(last) + 1, most) or least, id)
  emit("delayed", "jobId", id, "delay", due)
end

local waiting, hasReady, hasDelayed = {}, false, false

local function enqueue(id, delay, priority)
  if delay > 0 then
    hasDelayed = true
    return delayUntil(now + delay, id)
  end
  hasReady = true
  if priority > 0 then
    local turn = redis.call("INCR", KEYS[4]) % 0x100000000
    redis.call("ZADD", KEYS[3], priority * 0x100000000 + turn, id)
  else
    waiting[#waiting + 1] = id
  end
  emit("waiting", "jobId", id)
end

for at = FIRST, #ARGV, FIELDS do
  local id, name, data, options, claim, claimMs, delay, priority = unpack(ARGV, at, at + FIELDS - 1)
  local holder = redis.call("SET", prefix .. "de:" .. claim, id, "PX", claimMs, "NX", "GET")
  holders[#holders + 1] = holder
  if not holder then
    redis.call("HSET", prefix .. id, "name", name, "data", data, "opts", options, "timestamp", submittedAt)
    -- BullMQ writes them also where there is none, and reads an absent one as that; two fields are a tenth of a job.
    if delay ~= "0" then redis.call("HSET", prefix .. id, "delay", delay) end
    if priority ~= "0" then redis.call("HSET", prefix .. id, "priority", priority) end
    redis.call("XADD", KEYS[7], "*", "event", "added", "jobId", id, "name", name)
    enqueue(id, tonumber(delay), tonumber(priority))
  else
    emit("deduplicated", "jobId", holder, "deduplicationId", claim, "deduplicatedJobId", id)
  end
end

redis.call("INCRBY", KEYS[9], #holders)
redis.call("HSET", KEYS[10], "unlooked", isDue and 0 or unlooked)
if #waiting > 0 then redis.call("LPUSH", KEYS[1], unpack(waiting)) end
if hasReady and not takesNone then redis.call("ZADD", KEYS[6], 0, "0") end
if hasDelayed then
  local due = redis.call("ZRANGE", KEYS[2], 0, 0, "WITHSCORES")[2]
  redis.call("ZADD", KEYS[6], tonumber(due) / 4096, "1")
end
holders[#holders + 1] = redis.call("HINCRBY", KEYS[10], "count", 1)
return holders
