--[[
  Reads jobs, or schedulers, that were withdrawn.

  KEYS[1] those withdrawn, by id; all other keys share its slot
  ARGV[1] what the keys of their hashes begin with   ARGV[2…] ids

  Returns for each id that is still withdrawn: it, for how many milliseconds it has been, what the first key says beyond that, and its
  hash: empty if it was forgotten
]]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local found = {}
for at = 2, #ARGV do
  local entry = redis.call("HGET", KEYS[1], ARGV[at])
  if entry then
    local since, rest = string.match(entry, "^(%d+) (.*)$")
    found[#found + 1] = { ARGV[at], now - tonumber(since), rest, redis.call("HGETALL", ARGV[1] .. ARGV[at]) }
  end
end
return found
