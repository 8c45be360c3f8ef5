--[[
  Jobs of one type, or of one key, that an operator holds back or lets run a few at a time. `prefix` is what all keys of the queue begin with.

  A curb is named `type/<type>` or `key/<label>`, as jobs have them. The hash `curbs` has each: how many may run at a time (0: none), a space, and
  what is known of it, as JSON. `curbing`, in the queue's settings, is there while there is any: without it a claim looks at nothing of this.

  `curb:<name>` has the jobs that a curb is about, as far as claims have met them: above 0, held, in order; 0, let run; below, let in since then, in
  milliseconds, and not yet claimed. `curbing` has the names that have jobs, scored by when the sweep looks at them.
]]
local held = require("../held")
local inLine = require("../put-in-line")
local enqueue = require("../add/enqueue")
local stream = require("../add/emit")

-- When the sweep looks at a curb whose jobs wait: for jobs that are gone, or while no claim lets the next ones in.
local LOOK_MS = 1000
-- A job that was let in is claimed soon, unless others are before it. Then another may have its place.
local CLAIMED_IN_MS = 5000

local function jobsKey(prefix, name)
  return prefix .. "curb:" .. name
end

-- How many of a curb may run; nil where there is none.
local function limitOf(record)
  return record and tonumber(string.match(record, "^(%d+) "))
end

-- The label of a job's key, in its options; nil for most jobs.
local function labelIn(options)
  return string.match(options or "", '"label":"([^"\\]+)"')
end

-- The name of the curb that a job falls under, and how many of it may run; nothing for most jobs.
local function curbOf(prefix, id)
  local jobType, options = unpack(redis.call("HMGET", prefix .. id, "name", "opts"))
  local label = labelIn(options)
  local names = { "type/" .. (jobType or ""), label and "key/" .. label }
  for at, record in ipairs(redis.call("HMGET", prefix .. "curbs", unpack(names))) do
    if record then return names[at], limitOf(record) end
  end
end

-- Forgets those that no longer run. Returns how many do, or were just let in.
local function underWay(prefix, key, now)
  local count = 0
  local found = redis.call("ZRANGEBYSCORE", key, "-inf", 0, "WITHSCORES")
  for at = 1, #found, 2 do
    local id, score = found[at], tonumber(found[at + 1])
    local isThere = score == 0 and redis.call("LPOS", prefix .. "active", id) or score < 0 and now + score < CLAIMED_IN_MS
    if isThere then count = count + 1 else redis.call("ZREM", key, id) end
  end
  return count
end

local function lookAt(prefix, name, at)
  redis.call("ZADD", prefix .. "curbing", "LT", at, name)
end

-- Whether a job that is claimed is held back.
local function holdsBack(prefix, id, now)
  local name, limit = curbOf(prefix, id)
  if not name then return false end
  local key = jobsKey(prefix, name)
  local score = limit > 0 and tonumber(redis.call("ZSCORE", key, id))
  local isLetIn = score and score <= 0 or limit > 0 and underWay(prefix, key, now) < limit
  if isLetIn then
    redis.call("ZADD", key, 0, id)
    lookAt(prefix, name, now + LOOK_MS)
    return false
  end
  local last = tonumber(redis.call("ZREVRANGE", key, 0, 0, "WITHSCORES")[2] or 0)
  redis.call("ZADD", key, math.max(last, 0) + 1, id)
  redis.call("HSET", prefix .. id, "curbedBy", name)
  held.holdJob(prefix, id, now, now)
  lookAt(prefix, name, now + LOOK_MS)
  return true
end

-- Puts a held job where claims find it next: in front of its like, since it has waited already.
local function putFirst(prefix, id)
  local priority = tonumber(redis.call("HGET", prefix .. id, "priority") or 0)
  if priority > 0 then inLine.putInLine(prefix, id, 0, 0, "waiting-children") return end
  local isOpen, maxEvents = enqueue.readMeta(prefix)
  redis.call("RPUSH", prefix .. "wait", id)
  if isOpen then enqueue.wakeWorker(prefix) end
  stream.emit(prefix .. "events", maxEvents, "waiting", "jobId", id, "prev", "waiting-children")
end

-- Lets in as many as a curb has room for, at most `most`. Returns how many, and whether any are left.
local function letIn(prefix, name, now, most)
  local key = jobsKey(prefix, name)
  local limit = limitOf(redis.call("HGET", prefix .. "curbs", name))
  local room = limit and limit - underWay(prefix, key, now) or most
  local count = 0
  while count < math.min(room, most) do
    local id = redis.call("ZRANGEBYSCORE", key, "(0", "+inf", "LIMIT", 0, 1)[1]
    if not id then break end
    redis.call("HDEL", prefix .. id, "curbedBy")
    -- Another tool may have removed it, or put it in line.
    if not held.letGo(prefix, id) then
      redis.call("ZREM", key, id)
    elseif limit then
      redis.call("ZADD", key, -now, id)
      putFirst(prefix, id)
    else
      redis.call("ZREM", key, id)
      -- Others have waited meanwhile.
      inLine.putInLine(prefix, id, 0, 0, "waiting-children")
    end
    count = count + 1
  end
  return count, redis.call("ZCOUNT", key, "(0", "+inf") > 0
end

-- Before a claim: those that a few may run of at a time get the places that have become free.
local function letInNext(prefix, now)
  for _, name in ipairs(redis.call("ZRANGE", prefix .. "curbing", 0, -1)) do
    local limit = limitOf(redis.call("HGET", prefix .. "curbs", name))
    if limit and limit > 0 then letIn(prefix, name, now, 1) end
  end
end

return {
  LOOK_MS = LOOK_MS,
  jobsKey = jobsKey,
  labelIn = labelIn,
  holdsBack = holdsBack,
  letIn = letIn,
  letInNext = letInNext,
}
