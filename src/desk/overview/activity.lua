--[[
  Reads a queue's activity, at the same cost at any depth.
]]
local call = command({
  keys = {
    "workers",
    -- Workers seen.
    "seen",
    -- What workers were told (hash).
    "quiet",
  },
  arguments = {
    "prefix",
    -- Milliseconds over which rates are measured.
    "windowMs",
    -- How many finished jobs to time.
    "timesMax",
    -- How many active jobs to name, and how many runs that were told to stop.
    "activeMax",
    -- Milliseconds without a heartbeat after which a worker is gone.
    "goneMs",
  },
  returns = [[
    JSON: now, submitted, isPaused, completedPerSecond, failedPerSecond,
      stillRunning { count, runs { id, type, worker, at, … } }
      times "submitted,delay,started,finished;…"   active { id, type, worker, since, … }   workers { name, JSON, seen, JSON of what it was told or "", … }
  ]],
  whenFull = "stops at its first write",
})
local names = require("../../core/bullmq/names")
local stillRuns = require("../../core/status/still-runs")
local clock = require("../../platform/redis/now")

local prefix, now = call.prefix, clock.nowMs()

local function append(list, ...)
  for _, value in ipairs({ ... }) do list[#list + 1] = value end
end

-- A busy queue keeps only its latest jobs: the rate is then measured over those.
local function perSecond(state)
  local windowMs = tonumber(call.windowMs)
  local count = redis.call("ZCOUNT", prefix .. state, now - windowMs, "+inf")
  if count == 0 then return 0 end
  if count < redis.call("ZCARD", prefix .. state) then return count * 1000 / windowMs end
  local oldest = tonumber(redis.call("ZRANGE", prefix .. state, 0, 0, "WITHSCORES")[2])
  return count * 1000 / math.max(1000, now - oldest)
end

local function times()
  local found = {}
  for _, id in ipairs(redis.call("ZREVRANGE", prefix .. "completed", 0, call.timesMax - 1)) do
    local job = redis.pcall("HMGET", prefix .. id, names.SUBMITTED_AT, "delay", names.STARTED_AT, names.ENDED_AT, names.DELIVERIES, "flow")
    -- Only a job's first delivery shows how long it waited; a parent's shows how long its children took.
    if job[1] and job[3] and job[4] and job[5] == "1" and not job[6] then
      append(found, table.concat({ job[1], job[2] or "0", job[3], job[4] }, ","))
    end
  end
  return table.concat(found, ";")
end

local function active()
  local found = {}
  for _, id in ipairs(redis.call("LRANGE", prefix .. "active", -call.activeMax, -1)) do
    local job = redis.pcall("HMGET", prefix .. id, "name", names.WORKER, names.STARTED_AT)
    if job[1] then append(found, id, job[1], job[2] or "", job[3] or "0") end
  end
  return found
end

local function workers()
  local found = {}
  local seen = redis.call("ZRANGE", call.seen, 0, -1, "WITHSCORES")
  for at = 1, #seen, 2 do
    local heartbeat = redis.call("HGET", call.workers, seen[at])
    if heartbeat then append(found, seen[at], heartbeat, seen[at + 1], redis.call("HGET", call.quiet, seen[at]) or "") end
  end
  return found
end

-- Almost always none. Of very many, some are looked at: the count is then too low.
local function stillRunning()
  local found, count, key = {}, 0, prefix .. stillRuns.HASH
  if redis.call("EXISTS", key) == 0 then return { count = 0, runs = found } end
  local stored = redis.call("HSCAN", key, 0, "COUNT", call.activeMax)[2]
  for at = 1, #stored, 2 do
    for _, note in ipairs(stillRuns.livingOf(prefix, stored[at + 1], now, tonumber(call.goneMs))) do
      count = count + 1
      if #found < 4 * call.activeMax then append(found, stored[at], note.type, note.worker, string.format("%.0f", note.at)) end
    end
  end
  return { count = count, runs = found }
end

return cjson.encode({
  now = now,
  stillRunning = stillRunning(),
  submitted = tonumber(redis.call("GET", prefix .. "id") or 0),
  isPaused = redis.call("HEXISTS", prefix .. "meta", "paused") == 1,
  completedPerSecond = perSecond("completed"),
  failedPerSecond = perSecond("failed"),
  times = times(),
  active = active(),
  workers = workers(),
})
