--[[
  How many bytes ended jobs take, by state and type. The hash `budget` has their sums, by `<state>:<type>`; beside them, by state, since when
  the sweep goes on. For each sum, a sorted set has the jobs that are in it, the oldest first. A score is both when a job ended, in seconds,
  and its size, in units of 64 bytes: so an entry takes no more than one of BullMQ's own sets does. `prefix` is what all keys of the queue
  begin with.
]]
local SIZES, UNIT = 2 ^ 21, 64

local function sumsOf(prefix)
  return prefix .. "budget"
end

local function countedJobs(prefix, name)
  return prefix .. "budget:" .. name
end

local function scoreOf(ms, bytes)
  local size = math.min(math.floor(bytes / UNIT + 0.5), SIZES - 1)
  return string.format("%.0f", math.floor(ms / 1000) * SIZES + size)
end

local function bytesIn(score)
  return score % SIZES * UNIT
end

-- When it ended, in whole seconds.
local function secondIn(score)
  return math.floor(score / SIZES)
end

-- Takes a job out of a sum; nothing happens where it is not in it.
local function uncount(prefix, name, id)
  local score = redis.call("ZSCORE", countedJobs(prefix, name), id)
  if not score then return end
  redis.call("ZREM", countedJobs(prefix, name), id)
  redis.call("HINCRBY", sumsOf(prefix), name, -bytesIn(score))
end

-- A queue without a budget pays for one command.
local function uncountJob(prefix, id, state)
  if redis.call("EXISTS", sumsOf(prefix)) == 0 then return end
  local type = redis.call("HGET", prefix .. id, "name")
  if type then uncount(prefix, state .. ":" .. type, id) end
end

return {
  sumsOf = sumsOf,
  countedJobs = countedJobs,
  scoreOf = scoreOf,
  bytesIn = bytesIn,
  secondIn = secondIn,
  uncount = uncount,
  uncountJob = uncountJob,
}
