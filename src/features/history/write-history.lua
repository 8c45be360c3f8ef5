--[[
  Adds counts to the current minute and hour of a queue's history. Redis's clock decides which these are. Atomic: two workers
  that write at once lose nothing of each other's counts.

  KEYS[1] the marks of the queue; the history's keys share its slot
  ARGV[1] what the history's keys begin with   ARGV[2] milliseconds for which minutes are kept   ARGV[3] the same for hours
  ARGV[4…] for each type: its name, its counts as "c=12,s4=10"

  Returns OK
]]
-- @include ../../platform/redis/now.lua

local FIRST, FIELDS = 4, 2
local minute = math.floor(nowMs() / 60000)
local hour = math.floor(minute / 60)

local function together(known, added)
  local sums, texts = {}, {}
  for _, counts in ipairs({ known, added }) do
    for name, count in string.gmatch(counts, "(%w+)=(%d+)") do
      sums[name] = (sums[name] or 0) + tonumber(count)
    end
  end
  for name, count in pairs(sums) do texts[#texts + 1] = name .. "=" .. string.format("%.0f", count) end
  return table.concat(texts, ",")
end

-- Minutes are kept by the hour and hours by the day, so that whole keys expire and no sweep is needed.
local function add(key, part, keptMs)
  for at = FIRST, #ARGV, FIELDS do
    local field = part .. ":" .. ARGV[at]
    local known = redis.call("HGET", key, field)
    redis.call("HSET", key, field, known and together(known, ARGV[at + 1]) or ARGV[at + 1])
  end
  redis.call("PEXPIRE", key, keptMs)
end

add(ARGV[1] .. "m:" .. hour, minute % 60, ARGV[2])
add(ARGV[1] .. "h:" .. math.floor(hour / 24), hour % 24, ARGV[3])
return redis.status_reply("OK")
