--[[
  What BullMQ's keys say of a job, so that nobody spells a name of BullMQ's.
  `prefix` is what all keys of the queue begin with.
]]

local function jobExists(prefix, id)
  return redis.call("EXISTS", prefix .. id) == 1
end

local function jobType(prefix, id)
  return redis.call("HGET", prefix .. id, "name")
end

-- In milliseconds; 0 where it has not.
local function endedAt(prefix, id)
  return tonumber(redis.call("HGET", prefix .. id, "finishedOn")) or 0
end

local function hasEnded(state)
  return state == "completed" or state == "failed"
end

-- Jobs that ended in this state, the latest first, each followed by when it ended.
local function latestEnded(prefix, state, first, last)
  return redis.call("ZREVRANGE", prefix .. state, first, last, "WITHSCORES")
end

-- How many jobs of this state are before the one that was there with this score: ended earlier, or in the same millisecond before it.
local function endedBefore(key, id, score)
  local count = redis.call("ZCOUNT", key, "-inf", "(" .. score)
  for _, other in ipairs(redis.call("ZRANGEBYSCORE", key, score, score)) do
    if other < id then count = count + 1 end
  end
  return count
end

-- Jobs that ended in this state after the one with this id and score, the earliest first, or before it, the latest first, each followed by when
-- it ended. Without an id, from the end of the list. That job may be gone.
local function endedBeside(prefix, state, isNewer, id, score, most)
  local key, start = prefix .. state, 0
  if id ~= "" then
    local before = endedBefore(key, id, score)
    local isThere = redis.call("ZSCORE", key, id) == score
    start = isNewer and before + (isThere and 1 or 0) or redis.call("ZCARD", key) - before
  end
  return redis.call(isNewer and "ZRANGE" or "ZREVRANGE", key, start, start + most - 1, "WITHSCORES")
end

local function failureReason(prefix, id)
  return redis.call("HGET", prefix .. id, "failedReason") or ""
end

-- The code that a failure's text begins with; nil where it is none of ours.
local function failureCode(reason)
  return string.match(reason, "^([A-Z_]+): ")
end

-- How many jobs are held: they have scores below zero among those that wait for children.
local function heldCount(prefix)
  return redis.call("ZCOUNT", prefix .. "waiting-children", "-inf", "(0")
end

-- A job has it once it has asked for an effect.
local function dedupKeyOf(prefix, id)
  return redis.call("HGET", prefix .. id, "dedupKey")
end

return {
  jobExists = jobExists,
  jobType = jobType,
  endedAt = endedAt,
  hasEnded = hasEnded,
  latestEnded = latestEnded,
  endedBeside = endedBeside,
  failureReason = failureReason,
  failureCode = failureCode,
  heldCount = heldCount,
  dedupKeyOf = dedupKeyOf,
}
