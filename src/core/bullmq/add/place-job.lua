--[[
  Adds new jobs to a queue. Leaves in Redis what BullMQ's own scripts leave for each job. What concerns the whole queue is read and written once:
  `begin` returns what the other functions take as `placing`, and `finish` comes last.

  A job's `extras` are "" for most jobs. Otherwise what travels with it for features: JSON under the name of each.
]]
local clock = require("../../../platform/redis/now")
local enqueue = require("./enqueue")
local line = require("./line")
local stream = require("./emit")

-- `now` is the moment of submission, in milliseconds, `submittedAt` the same as text.
local function begin(prefix)
  local submittedAt = clock.nowText()
  local mayRun, maxEvents = enqueue.readMeta(prefix)
  if not maxEvents then
    maxEvents = stream.MAX_EVENTS
    redis.call("HSET", prefix .. "meta", "opts.maxLenEvents", maxEvents)
  end
  return {
    prefix = prefix,
    events = prefix .. "events",
    maxEvents = maxEvents,
    submittedAt = submittedAt,
    now = tonumber(submittedAt),
    mayRun = mayRun,
    waiting = {},
    hasReady = false,
    hasDelayed = false,
  }
end

-- `key` is "" where it is read from the data as quickly.
local function writeJob(placing, id, name, data, key, options, delay, priority)
  local job, submittedAt = placing.prefix .. id, placing.submittedAt
  redis.call("HSET", job, "name", name, "data", data, "opts", options, "timestamp", submittedAt)
  if key ~= "" then redis.call("HSET", job, "key", submittedAt .. " " .. key) end
  if priority > 0 then redis.call("HSET", job, "priority", priority) end
  -- BullMQ also writes zeros, and reads an absent field as zero. The two fields are a tenth of a job's memory.
  if delay > 0 then redis.call("HSET", job, "delay", delay) end
  redis.call("XADD", placing.events, "*", "event", "added", "jobId", id, "name", name)
end

local function addReady(placing, id, priority, extras)
  if priority == 0 then
    placing.waiting[#placing.waiting + 1] = id
  elseif extras then
    line.addByPriority(placing.prefix, id, priority, extras)
  else
    enqueue.addPrioritized(placing.prefix, id, priority)
  end
  stream.emit(placing.events, placing.maxEvents, "waiting", "jobId", id)
  placing.hasReady = true
end

-- Returns whether the job is held.
local function placeExtras(placing, id, mayRunAt, extras)
  -- Each gets `placing`, the new job and its extras, and returns whether it holds the job back. The job's `isHeld` says whether an earlier one has.
  local placers = require("point:place")
  local job = { id = id, mayRunAt = mayRunAt, isHeld = false }
  for _, place in ipairs(placers) do job.isHeld = place(placing, job, extras) or job.isHeld end
  return job.isHeld
end

-- Writes a job and puts it where it waits. `extras` can be "".
local function placeJob(placing, id, name, data, key, options, delayMs, priority, extras)
  local delay, order = tonumber(delayMs), tonumber(priority)
  local given = extras ~= "" and cjson.decode(extras)
  writeJob(placing, id, name, data, key, options, delay, order)
  if given and placeExtras(placing, id, placing.now + delay, given) then return end
  if delay > 0 then
    enqueue.addDelayed(placing.prefix, id, placing.now + delay, placing.maxEvents)
    placing.hasDelayed = true
  else
    addReady(placing, id, order, given)
  end
end

-- Lets a job have its deduplication key, which then holds `holder`. Returns what has it already; false where nothing had.
local function claimKey(placing, id, dedupKey, dedupKeyMs, holder)
  local known = redis.call("SET", placing.prefix .. "de:" .. dedupKey, holder, "PX", dedupKeyMs, "NX", "GET")
  if not known then return false end
  stream.emit(placing.events, placing.maxEvents, "deduplicated", "jobId", string.match(known, "%S+$"), "deduplicationId", dedupKey,
    "deduplicatedJobId", id)
  return known
end

-- Returns what has the key, as keyHolder in job-id.ts reads it; false where it is this job, now placed.
local function addJob(placing, id, name, data, key, options, dedupKey, dedupKeyMs, ...)
  local holder = claimKey(placing, id, dedupKey, dedupKeyMs, id)
  if holder then return holder end
  placeJob(placing, id, name, data, key, options, ...)
  return false
end

-- What BullMQ would write after each job.
local function finish(placing, count)
  local prefix = placing.prefix
  redis.call("INCRBY", prefix .. "id", count)
  if #placing.waiting > 0 then redis.call("LPUSH", prefix .. "wait", unpack(placing.waiting)) end
  if placing.hasReady and placing.mayRun then enqueue.wakeWorker(prefix) end
  if placing.hasDelayed then enqueue.wakeWhenDue(prefix) end
end

return {
  begin = begin,
  writeJob = writeJob,
  placeExtras = placeExtras,
  placeJob = placeJob,
  claimKey = claimKey,
  addJob = addJob,
  finish = finish,
}
