--[[
  Adds jobs to a queue, each unless another job has its deduplication key. Leaves in Redis what BullMQ's own scripts leave for
  each job; what concerns the whole queue is read and written once. Atomic: no key is held without its job.

  KEYS[1] epoch   KEYS[2] jobs added since the last memory check; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2], ARGV[3] id and count of the epoch that the producer has seen
  ARGV[4] how many jobs may be added between two memory checks
  ARGV[5…] for each job: id, name, data, options, deduplication key and its milliseconds, delay in milliseconds, priority,
    tenant and 1 / weight ("" where it is not fair)

  Returns for each job the id of the job that has its key: false where it is this one, now added; 0 where there is no room.
  Then the epoch's count. "other-epoch" where nothing was done.
]]
local FIRST, FIELDS = 5, 9
local prefix = ARGV[1]

local isSeen, count = isEpoch(KEYS[1], ARGV[2], ARGV[3])
if not isSeen then return "other-epoch" end

-- A duplicate still gets the first job's id; reading needs no memory.
local function answerWithoutRoom()
  local answers = {}
  for at = FIRST, #ARGV, FIELDS do
    answers[#answers + 1] = redis.call("GET", prefix .. "de:" .. ARGV[at + 4]) or 0
  end
  answers[#answers + 1] = count
  return answers
end

-- A check takes longer than adding a job, so only some jobs pay for one. The unchecked ones fit in the headroom.
local sinceCheck = (redis.call("GET", KEYS[2]) or ARGV[4]) + (#ARGV - FIRST + 1) / FIELDS
local isCheckDue = sinceCheck > tonumber(ARGV[4])
if isCheckDue and not hasRoom() then return answerWithoutRoom() end

local now = nowMs()
local submittedAt = string.format("%.0f", now)
local isOpen, maxEvents = readMeta(prefix)
if not maxEvents then
  maxEvents = MAX_EVENTS
  redis.call("HSET", prefix .. "meta", "opts.maxLenEvents", maxEvents)
end
local waiting, hasReady, hasDelayed = {}, false, false

local function writeJob(id, name, data, options, delay, priority, turn)
  local job = prefix .. id
  if turn then
    redis.call("HSET", job, "name", name, "data", data, "opts", options, "timestamp", submittedAt, "priority", priority, "turn", turn)
  else
    redis.call("HSET", job, "name", name, "data", data, "opts", options, "timestamp", submittedAt)
    if priority > 0 then redis.call("HSET", job, "priority", priority) end
  end
  -- BullMQ also writes zeros, and reads an absent field as zero. The two fields are a tenth of a job's memory.
  if delay > 0 then redis.call("HSET", job, "delay", delay) end
  redis.call("XADD", prefix .. "events", "*", "event", "added", "jobId", id, "name", name)
end

-- Behind the jobs of the same millisecond.
local function addDelayed(id, delay)
  local due = now + delay
  local least, most = due * DUE_SCALE, due * DUE_SCALE + DUE_SCALE - 1
  local last = redis.call("ZREVRANGEBYSCORE", prefix .. "delayed", most, least, "WITHSCORES", "LIMIT", 0, 1)[2]
  redis.call("ZADD", prefix .. "delayed", last and math.min(tonumber(last) + 1, most) or least, id)
  emit(prefix, maxEvents, "delayed", "jobId", id, "delay", due)
  hasDelayed = true
end

local function addReady(id, priority, turn)
  if turn then
    addFair(prefix, id, priority, turn)
  elseif priority > 0 then
    addPrioritized(prefix, id, priority)
  else
    waiting[#waiting + 1] = id
  end
  emit(prefix, maxEvents, "waiting", "jobId", id)
  hasReady = true
end

local function addJob(id, name, data, options, dedupKey, dedupKeyMs, delayMs, priority, turn)
  local holder = redis.call("SET", prefix .. "de:" .. dedupKey, id, "PX", dedupKeyMs, "NX", "GET")
  if holder then
    emit(prefix, maxEvents, "deduplicated", "jobId", holder, "deduplicationId", dedupKey, "deduplicatedJobId", id)
    return holder
  end
  local delay, order = tonumber(delayMs), tonumber(priority)
  if turn == "" then turn = nil end
  writeJob(id, name, data, options, delay, order, turn)
  if delay > 0 then addDelayed(id, delay) else addReady(id, order, turn) end
  return false
end

-- What BullMQ would write after each job.
local function finish(added)
  redis.call("INCRBY", prefix .. "id", added)
  redis.call("SET", KEYS[2], isCheckDue and 0 or sinceCheck)
  if #waiting > 0 then redis.call("LPUSH", prefix .. "wait", unpack(waiting)) end
  if hasReady and isOpen then wakeWorker(prefix) end
  if hasDelayed then
    local due = redis.call("ZRANGE", prefix .. "delayed", 0, 0, "WITHSCORES")[2]
    redis.call("ZADD", prefix .. "marker", tonumber(due) / DUE_SCALE, "1")
  end
end

local answers = {}
for at = FIRST, #ARGV, FIELDS do
  answers[#answers + 1] = addJob(unpack(ARGV, at, at + FIELDS - 1))
end
finish(#answers)
answers[#answers + 1] = countChange(KEYS[1])
return answers
