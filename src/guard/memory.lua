--[[
  How much of Redis's memory the keys of one place take: how many there are, times what some of them take, chosen at random with each sweep.
  Nobody counts when a key is forgotten: Redis lets it expire.
]]
local SAMPLE = 5
-- A member of the list of calls, with its score.
local MEMBER_BYTES = 100

local function keyOf(prefix)
  return prefix .. "call-bytes"
end

-- What a key takes. `calls` is the set of the place's calls.
local function measure(prefix, calls, ledgerPrefix)
  local sum, count = 0, 0
  for _, member in ipairs(redis.call("ZRANDMEMBER", calls, SAMPLE)) do
    local bytes = redis.call("MEMORY", "USAGE", ledgerPrefix .. string.match(member, "^[^/]+"))
    if bytes then sum, count = sum + bytes + MEMBER_BYTES, count + 1 end
  end
  if count == 0 then return 0 end
  local mean = tonumber(redis.call("GET", keyOf(prefix))) or sum / count
  -- Each sweep moves it by a tenth, so that a few large ones do not decide it.
  redis.call("SET", keyOf(prefix), string.format("%.1f", mean * 0.9 + sum / count * 0.1))
  return mean
end

local function bytesOf(prefix, calls, ledgerPrefix)
  local mean = tonumber(redis.call("GET", keyOf(prefix))) or measure(prefix, calls, ledgerPrefix)
  return redis.call("ZCARD", calls) * mean
end

return { measure = measure, bytesOf = bytesOf }
