-- What the ended jobs of one queue, or partition, take.
local budgets = require("./budget")

-- Failed jobs are for people, who look at them within a day.
local FAILED_STAY_MS = 24 * 60 * 60 * 1000

local function stateOf(name) return string.match(name, "^%a+") end

-- Names of sums, each followed by its bytes.
local function readSums(prefix)
  local found, sums = redis.call("HGETALL", budgets.sumsOf(prefix)), {}
  for at = 1, #found, 2 do
    if string.find(found[at], ":", 1, true) then sums[#sums + 1], sums[#sums + 2] = found[at], tonumber(found[at + 1]) end
  end
  return sums
end

-- The oldest jobs of a sum that may go, each followed by its score.
local function oldestOf(prefix, name, now, most)
  local last = stateOf(name) == "failed" and budgets.scoreOf(now - FAILED_STAY_MS, 0) or "+inf"
  return redis.call("ZRANGEBYSCORE", budgets.countedJobs(prefix, name), "-inf", last, "WITHSCORES", "LIMIT", 0, most)
end

-- Each sum's name, its bytes, and when the oldest of its jobs that may go ended, in seconds since 1970; -1 where there is none.
local function shares(prefix, now)
  local sums, found = readSums(prefix), {}
  for at = 1, #sums, 2 do
    local score = oldestOf(prefix, sums[at], now, 1)[2]
    found[#found + 1] = { sums[at], sums[at + 1], score and budgets.secondIn(score) or -1 }
  end
  return found
end

return { stateOf = stateOf, readSums = readSums, oldestOf = oldestOf, shares = shares }
