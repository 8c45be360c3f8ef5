--[[
  Adds new jobs to a queue. Leaves in Redis what BullMQ's own scripts leave for each job; what concerns the whole queue is read and
  written once: beginPlacing comes first, finishPlacing last. Included by other scripts.

  A job's `extras` are "" for most jobs. Otherwise JSON of what only some jobs have: lane { hash, limit }.
]]
-- @include ../../../features/fairness/fairness.lua
-- @include ../../../features/lanes/lanes.lua
-- @include ../../../platform/redis/now.lua

local queueStart, events, placedAt, submittedAt, mayRun, eventsMax
local newWaiting, hasReady, hasDelayed = {}, false, false

local function beginPlacing(prefix)
  queueStart, events, submittedAt = prefix, prefix .. "events", nowText()
  placedAt = tonumber(submittedAt)
  mayRun, eventsMax = readMeta(prefix)
  if not eventsMax then
    eventsMax = MAX_EVENTS
    redis.call("HSET", prefix .. "meta", "opts.maxLenEvents", eventsMax)
  end
end

local function writeJob(id, name, data, options, delay, priority, turn)
  local job = queueStart .. id
  if turn then
    redis.call("HSET", job, "name", name, "data", data, "opts", options, "timestamp", submittedAt, "priority", priority, "turn", turn)
  else
    redis.call("HSET", job, "name", name, "data", data, "opts", options, "timestamp", submittedAt)
    if priority > 0 then redis.call("HSET", job, "priority", priority) end
  end
  -- BullMQ also writes zeros, and reads an absent field as zero. The two fields are a tenth of a job's memory.
  if delay > 0 then redis.call("HSET", job, "delay", delay) end
  redis.call("XADD", events, "*", "event", "added", "jobId", id, "name", name)
end

local function addReady(id, priority, turn)
  if turn then
    addFair(queueStart, id, priority, turn)
  elseif priority > 0 then
    addPrioritized(queueStart, id, priority)
  else
    newWaiting[#newWaiting + 1] = id
  end
  emit(events, eventsMax, "waiting", "jobId", id)
  hasReady = true
end

-- Writes a job and puts it where it waits. `turn` and `extras` can be "".
local function placeJob(id, name, data, options, delayMs, priority, turn, extras)
  local delay, order = tonumber(delayMs), tonumber(priority)
  if turn == "" then turn = nil end
  writeJob(id, name, data, options, delay, order, turn)
  local lane
  if extras ~= "" then
    local given = cjson.decode(extras)
    lane = given.lane
    for _, tag in ipairs(given.tags or {}) do
      redis.call("ZADD", queueStart .. "tag:" .. tag, submittedAt, id)
      redis.call("ZADD", queueStart .. "tags", "NX", submittedAt, tag)
    end
  end
  if lane and joinLane(queueStart, id, lane, placedAt + delay, placedAt, eventsMax) then return end
  if delay > 0 then
    addDelayed(queueStart, id, placedAt + delay, eventsMax)
    hasDelayed = true
  else
    addReady(id, order, turn)
  end
end

-- Returns the job that has the key; false where it is this one, now placed.
local function addJob(id, name, data, options, dedupKey, dedupKeyMs, ...)
  local holder = redis.call("SET", queueStart .. "de:" .. dedupKey, id, "PX", dedupKeyMs, "NX", "GET")
  if not holder then
    placeJob(id, name, data, options, ...)
    return false
  end
  emit(events, eventsMax, "deduplicated", "jobId", holder, "deduplicationId", dedupKey, "deduplicatedJobId", id)
  return holder
end

-- What BullMQ would write after each job.
local function finishPlacing(count)
  redis.call("INCRBY", queueStart .. "id", count)
  if #newWaiting > 0 then redis.call("LPUSH", queueStart .. "wait", unpack(newWaiting)) end
  if hasReady and mayRun then wakeWorker(queueStart) end
  if hasDelayed then wakeWhenDue(queueStart) end
end
