--[[
  Reads jobs, or schedulers, that were withdrawn.
]]
local call = command({
  keys = {
    -- Those withdrawn, by id.
    "withdrawn",
  },
  arguments = {
    -- What the keys of their hashes begin with.
    "hashPrefix",
    -- Ids.
    "...",
  },
  returns = [[
    for each id that is still withdrawn: it, for how many milliseconds it has been, what the first key says beyond that, and its
    hash: empty if it was forgotten
  ]],
  whenFull = "stops at its first write",
})

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local found = {}
for at = call.firstArgument, #ARGV do
  local entry = redis.call("HGET", call.withdrawn, ARGV[at])
  if entry then
    local since, rest = string.match(entry, "^(%d+) (.*)$")
    found[#found + 1] = { ARGV[at], now - tonumber(since), rest, redis.call("HGETALL", call.hashPrefix .. ARGV[at]) }
  end
end
return found
