--[[
  What goes on in one queue, at a cost that does not depend on how many jobs are in it.

  KEYS[1] wait  KEYS[2] paused  KEYS[3] prioritized  KEYS[4] delayed  KEYS[5] active  KEYS[6] completed  KEYS[7] failed
  KEYS[8] doubts  KEYS[9] id (BullMQ's count of jobs added)  KEYS[10] meta  KEYS[11] workers  KEYS[12] workers seen
  ARGV[1] how the keys of jobs begin   ARGV[2] milliseconds over which rates are taken
  ARGV[3] how many finished jobs to take times from   ARGV[4] how many active jobs to name

  Returns JSON; lists of the same things one after the other, since an empty table would be no list:
    counts { waiting, prioritized, delayed, active, completed, failed, inDoubt, submitted }, now, isPaused,
    oldestWaiting, oldestDoubt (milliseconds since 1970, or null),
    completedPerSecond, failedPerSecond,
    times "submitted,delay,started,finished;…"   active { id, type, worker, since, … }   workers { name, JSON, seen, … }
]]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function submittedAt(id)
  return id and tonumber(redis.call("HGET", ARGV[1] .. id, "timestamp") or nil)
end

local function oldestWaiting()
  local first = submittedAt(redis.call("LINDEX", KEYS[1], -1))
  local second = submittedAt(redis.call("LINDEX", KEYS[2], -1))
  local third = submittedAt(redis.call("ZRANGE", KEYS[3], 0, 0)[1])
  local oldest = math.min(first or math.huge, second or math.huge, third or math.huge)
  return oldest < math.huge and oldest or cjson.null
end

-- Of many jobs a second only the latest are kept: then the rate is theirs.
local function perSecond(finished)
  local windowMs = tonumber(ARGV[2])
  local count = redis.call("ZCOUNT", finished, now - windowMs, "+inf")
  if count == 0 then return 0 end
  if count < redis.call("ZCARD", finished) then return count * 1000 / windowMs end
  local oldest = tonumber(redis.call("ZRANGE", finished, 0, 0, "WITHSCORES")[2])
  return count * 1000 / math.max(1000, now - oldest)
end

local function times()
  local told = {}
  for _, id in ipairs(redis.call("ZREVRANGE", KEYS[6], 0, ARGV[3] - 1)) do
    local job = redis.call("HMGET", ARGV[1] .. id, "timestamp", "delay", "processedOn", "finishedOn", "ats")
    -- Only of a job's first start is it known how long it waited.
    if job[1] and job[3] and job[4] and job[5] == "1" then
      told[#told + 1] = table.concat({ job[1], job[2] or "0", job[3], job[4] }, ",")
    end
  end
  return table.concat(told, ";")
end

local function active()
  local told = {}
  for _, id in ipairs(redis.call("LRANGE", KEYS[5], -ARGV[4], -1)) do
    local job = redis.call("HMGET", ARGV[1] .. id, "name", "pb", "processedOn")
    if job[1] then
      for _, value in ipairs({ id, job[1], job[2] or "", job[3] or "0" }) do told[#told + 1] = value end
    end
  end
  return told
end

local function workers()
  local told = {}
  local seen = redis.call("ZRANGE", KEYS[12], 0, -1, "WITHSCORES")
  for at = 1, #seen, 2 do
    local about = redis.call("HGET", KEYS[11], seen[at])
    if about then
      for _, value in ipairs({ seen[at], about, seen[at + 1] }) do told[#told + 1] = value end
    end
  end
  return told
end

return cjson.encode({
  now = now,
  counts = {
    waiting = redis.call("LLEN", KEYS[1]) + redis.call("LLEN", KEYS[2]),
    prioritized = redis.call("ZCARD", KEYS[3]),
    delayed = redis.call("ZCARD", KEYS[4]),
    active = redis.call("LLEN", KEYS[5]),
    completed = redis.call("ZCARD", KEYS[6]),
    failed = redis.call("ZCARD", KEYS[7]),
    inDoubt = redis.call("ZCARD", KEYS[8]),
  },
  submitted = tonumber(redis.call("GET", KEYS[9]) or 0),
  isPaused = redis.call("HEXISTS", KEYS[10], "paused") == 1,
  oldestWaiting = oldestWaiting(),
  oldestDoubt = tonumber(redis.call("ZRANGE", KEYS[8], 0, 0, "WITHSCORES")[2] or nil) or cjson.null,
  completedPerSecond = perSecond(KEYS[6]),
  failedPerSecond = perSecond(KEYS[7]),
  times = times(),
  active = active(),
  workers = workers(),
})
