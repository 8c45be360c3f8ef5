--[[
  Adds new jobs to a queue. Leaves in Redis what BullMQ's own scripts leave for each job; what concerns the whole queue is read and
  written once: beginPlacing comes first, finishPlacing last. Included by other scripts.

  A job's `extras` are "" for most jobs. Otherwise what travels with it for features: JSON under the name of each.
]]
-- @include ./line.lua
-- @include ../../../platform/redis/now.lua

local placeFeatures
-- Few jobs have extras, and each run of a script makes its functions anew.
local function featuresThatPlace()
  if placeFeatures then return placeFeatures end
  -- Each gets the new job and its extras, and returns whether it holds the job back. The job's `isHeld` says whether an earlier one has.
  placeFeatures = {}
  -- @include ../../../features/points/place.lua
  return placeFeatures
end

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

-- `key` is "" where it is read from the data as quickly.
local function writeJob(id, name, data, key, options, delay, priority)
  local job = queueStart .. id
  redis.call("HSET", job, "name", name, "data", data, "opts", options, "timestamp", submittedAt)
  if key ~= "" then redis.call("HSET", job, "key", submittedAt .. " " .. key) end
  if priority > 0 then redis.call("HSET", job, "priority", priority) end
  -- BullMQ also writes zeros, and reads an absent field as zero. The two fields are a tenth of a job's memory.
  if delay > 0 then redis.call("HSET", job, "delay", delay) end
  redis.call("XADD", events, "*", "event", "added", "jobId", id, "name", name)
end

local function addReady(id, priority, extras)
  if priority == 0 then
    newWaiting[#newWaiting + 1] = id
  elseif extras then
    addByPriority(queueStart, id, priority, extras)
  else
    addPrioritized(queueStart, id, priority)
  end
  emit(events, eventsMax, "waiting", "jobId", id)
  hasReady = true
end

-- Returns whether the job is held.
local function placeExtras(id, mayRunAt, extras)
  local job = { id = id, prefix = queueStart, key = queueStart .. id, mayRunAt = mayRunAt, now = placedAt, submittedAt = submittedAt,
    maxEvents = eventsMax, isHeld = false }
  for _, place in ipairs(featuresThatPlace()) do job.isHeld = place(job, extras) or job.isHeld end
  return job.isHeld
end

-- Writes a job and puts it where it waits. `extras` can be "".
local function placeJob(id, name, data, key, options, delayMs, priority, extras)
  local delay, order = tonumber(delayMs), tonumber(priority)
  local given = extras ~= "" and cjson.decode(extras)
  writeJob(id, name, data, key, options, delay, order)
  if given and placeExtras(id, placedAt + delay, given) then return end
  if delay > 0 then
    addDelayed(queueStart, id, placedAt + delay, eventsMax)
    hasDelayed = true
  else
    addReady(id, order, given)
  end
end

-- Lets a job have its deduplication key, which then holds `holder`. Returns what has it already; false where nothing had.
local function claimKey(id, dedupKey, dedupKeyMs, holder)
  local known = redis.call("SET", queueStart .. "de:" .. dedupKey, holder, "PX", dedupKeyMs, "NX", "GET")
  if not known then return false end
  emit(events, eventsMax, "deduplicated", "jobId", string.match(known, "%S+$"), "deduplicationId", dedupKey, "deduplicatedJobId", id)
  return known
end

-- Returns what has the key, as keyHolder in job-id.ts reads it; false where it is this job, now placed.
local function addJob(id, name, data, key, options, dedupKey, dedupKeyMs, ...)
  local holder = claimKey(id, dedupKey, dedupKeyMs, id)
  if holder then return holder end
  placeJob(id, name, data, key, options, ...)
  return false
end

-- What BullMQ would write after each job.
local function finishPlacing(count)
  redis.call("INCRBY", queueStart .. "id", count)
  if #newWaiting > 0 then redis.call("LPUSH", queueStart .. "wait", unpack(newWaiting)) end
  if hasReady and mayRun then wakeWorker(queueStart) end
  if hasDelayed then wakeWhenDue(queueStart) end
end
