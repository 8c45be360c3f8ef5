--[[
  How much of Redis's memory the keys of one place take: how many there are, times what some of them take, chosen at random with each sweep.
  Nobody counts when a key is forgotten: Redis lets it expire.
]]
local SAMPLE = 5
-- Before the first sweep. A ledger takes some 500 bytes, and its members of sets 100.
local FIRST_GUESS = 600
-- In the list of calls, with its score.
local MEMBER_BYTES = 100

local function keyOf(prefix)
  return prefix .. "call-bytes"
end

-- `calls` is the set of the place's calls.
local function measure(prefix, calls, ledgerPrefix)
  local members = redis.call("ZRANDMEMBER", calls, SAMPLE)
  local sum, count = 0, 0
  for _, member in ipairs(members) do
    local bytes = redis.call("MEMORY", "USAGE", ledgerPrefix .. string.match(member, "^[^/]+"))
    if bytes then sum, count = sum + bytes + MEMBER_BYTES, count + 1 end
  end
  if count == 0 then return end
  local mean = tonumber(redis.call("GET", keyOf(prefix))) or sum / count
  -- Each sweep moves it by a tenth, so that a few large ones do not decide it.
  redis.call("SET", keyOf(prefix), string.format("%.1f", mean * 0.9 + sum / count * 0.1))
end

local function bytesOf(prefix, calls)
  return redis.call("ZCARD", calls) * (tonumber(redis.call("GET", keyOf(prefix))) or FIRST_GUESS)
end

return { measure = measure, bytesOf = bytesOf }
