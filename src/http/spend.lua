#!lua flags=allow-oom
--[[
  Counts what a request costs against every limit of its API key, or against none where one of them does not allow it: a
  request that is refused uses nothing up. Atomic, so that no two requests take the same rest.

  A full store must not keep an operator from looking: hence allow-oom; there are few counters, and they expire.

  KEYS the counter of each limit
  ARGV[1] the cost   then for each limit: what it allows, the length of its window in milliseconds
  Returns 1 or 0, whether it is allowed; then for each limit: what is used, milliseconds until the window ends
]]
local cost = tonumber(ARGV[1])
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
