--[[
  Adds counts to the current minute and hour of a queue's history. Redis's clock decides which these are. Atomic: two workers
  that write at once lose nothing of each other's counts.
]]
local call = command({
  keys = {
    -- The marks of the queue; the history's keys share its slot.
    "marks",
  },
  arguments = {
    -- What the history's keys begin with.
    "historyPrefix",
    -- Milliseconds for which minutes are kept.
    "minutesKeptMs",
    -- The same for hours.
    "hoursKeptMs",
    -- For each type: its name, its counts as "c=12,s4=10".
    "...",
  },
  returns = [[OK]],
  whenFull = "stops at its first write",
})
local clock = require("../../platform/redis/now")

local FIELDS = 2
local minute = math.floor(clock.nowMs() / 60000)
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
  for at = call.firstArgument, #ARGV, FIELDS do
    local field = part .. ":" .. ARGV[at]
    local known = redis.call("HGET", key, field)
    redis.call("HSET", key, field, known and together(known, ARGV[at + 1]) or ARGV[at + 1])
  end
  redis.call("PEXPIRE", key, keptMs)
end

add(call.historyPrefix .. "m:" .. hour, minute % 60, call.minutesKeptMs)
add(call.historyPrefix .. "h:" .. math.floor(hour / 24), hour % 24, call.hoursKeptMs)
return redis.status_reply("OK")
