--[[
  Counts a request against every limit of its API key, or against none if one of them refuses it. Atomic, so that two
  requests cannot both use the last of a limit. allow-oom, so that operators can look at a full Redis; the few counters
  expire.
]]
local call = command({
  keys = {
    -- The counter of each limit.
    "...",
  },
  arguments = {
    -- The request's cost, then for each limit: its count, and its window in milliseconds.
    "cost",
    "...",
  },
  returns = [[1 if allowed, else 0; then for each limit: the count used, and milliseconds until its window ends]],
  whenFull = "runs",
})

local cost = tonumber(call.cost)
local used = {}
local allowed = 1
for index, key in ipairs(KEYS) do
  used[index] = tonumber(redis.call("GET", key) or 0)
  if used[index] + cost > tonumber(ARGV[2 * index]) then allowed = 0 end
end
local answer = { allowed }
for index, key in ipairs(KEYS) do
  if allowed == 1 then
    used[index] = redis.call("INCRBY", key, cost)
    if used[index] == cost then redis.call("PEXPIRE", key, ARGV[2 * index + 1]) end
  end
  answer[2 * index] = used[index]
  answer[2 * index + 1] = math.max(0, redis.call("PTTL", key))
end
return answer
