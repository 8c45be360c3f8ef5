--[[
  What goes on in one queue, at a cost that does not depend on how many jobs are in it.

  KEYS[1] active  KEYS[2] completed  KEYS[3] failed  KEYS[4] id (BullMQ's count of jobs added)  KEYS[5] meta
  KEYS[6] workers  KEYS[7] workers seen
  ARGV[1] how the keys of jobs begin   ARGV[2] milliseconds over which rates are taken
  ARGV[3] how many finished jobs to take times from   ARGV[4] how many active jobs to name

  Returns JSON: now, submitted, isPaused, completedPerSecond, failedPerSecond,
    times "submitted,delay,started,finished;…"   active { id, type, worker, since, … }   workers { name, JSON, seen, … }
]]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

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
  for _, id in ipairs(redis.call("ZREVRANGE", KEYS[2], 0, ARGV[3] - 1)) do
    local job = redis.pcall("HMGET", ARGV[1] .. id, "timestamp", "delay", "processedOn", "finishedOn", "ats")
    -- Only of a job's first start is it known how long it waited.
    if job[1] and job[3] and job[4] and job[5] == "1" then
      told[#told + 1] = table.concat({ job[1], job[2] or "0", job[3], job[4] }, ",")
    end
  end
  return table.concat(told, ";")
end

local function active()
  local told = {}
  for _, id in ipairs(redis.call("LRANGE", KEYS[1], -ARGV[4], -1)) do
    local job = redis.pcall("HMGET", ARGV[1] .. id, "name", "pb", "processedOn")
    if job[1] then
      for _, value in ipairs({ id, job[1], job[2] or "", job[3] or "0" }) do told[#told + 1] = value end
    end
  end
  return told
end

local function workers()
  local told = {}
  local seen = redis.call("ZRANGE", KEYS[7], 0, -1, "WITHSCORES")
  for at = 1, #seen, 2 do
    local about = redis.call("HGET", KEYS[6], seen[at])
    if about then
      for _, value in ipairs({ seen[at], about, seen[at + 1] }) do told[#told + 1] = value end
    end
  end
  return told
end

return cjson.encode({
  now = now,
  submitted = tonumber(redis.call("GET", KEYS[4]) or 0),
  isPaused = redis.call("HEXISTS", KEYS[5], "paused") == 1,
  completedPerSecond = perSecond(KEYS[2]),
  failedPerSecond = perSecond(KEYS[3]),
  times = times(),
  active = active(),
  workers = workers(),
})
