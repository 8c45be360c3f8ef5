--[[
  The entries of a ledger: one for each effect, as JSON.

  An entry has state ("reserved", "in-doubt", "done"), reservationId, at, worker, and where it applies seen (what its worker saw leave). One
  that is reserved or in doubt also has job, delivery, fence, and where they apply deadline, firstAt (if its policy is to repeat), isRepeat,
  reason, hint (what its declaration lacked), isOver (nothing of its run acts any more), isElsewhere (its worker is of another queue), report and lateResult; one
  that was resolved has resolvedBy. The delivery is 0 where no job runs it. reserve.lua and commit.lua write theirs as text.
]]
local clock = require("../../../platform/redis/now")

local function readEntry(ledger, effect)
  local json = redis.call("HGET", ledger, "e:" .. effect)
  return json and cjson.decode(json)
end

local function writeEntry(ledger, effect, entry)
  redis.call("HSET", ledger, "e:" .. effect, cjson.encode(entry))
end

-- The effect that a field of a ledger is about; nil for the other fields.
local function effectIn(field)
  return string.match(field, "^e:(.+)$")
end

-- Reads every entry, by effect.
local function readEntries(ledger)
  local entries = {}
  for _, field in ipairs(redis.call("HKEYS", ledger)) do
    local effect = effectIn(field)
    if effect then entries[effect] = readEntry(ledger, effect) end
  end
  return entries
end

-- Nobody can know whether the effect happened.
local function putInDoubt(doubts, ledger, dedupKey, effect, entry, reason)
  entry.state, entry.at, entry.reason = "in-doubt", clock.nowMs(), reason
  writeEntry(ledger, effect, entry)
  redis.call("ZADD", doubts, entry.at, dedupKey .. "/" .. effect)
end

-- As text. At least the time, so that it also grows after the ledger has expired. `fence` is the ledger's, `entry` the effect's.
local function nextFence(fence, entry, nowText)
  local last = math.max(fence or 0, entry and entry.fence or 0)
  return last < tonumber(nowText) and nowText or string.format("%.0f", last + 1)
end

-- A reservation as text: cjson would be a tenth of it, since it writes a number slower than all the rest (row `work-effect`). `job` and
-- `worker` are JSON.
local function reservationText(nowText, deadline, reservationId, fence, job, delivery, worker, firstAt, isRepeat)
  return '{"state":"reserved","at":' .. nowText .. ',"deadline":' .. deadline
    .. ',"reservationId":"' .. reservationId .. '","fence":"' .. fence
    .. '","job":' .. job .. ',"delivery":' .. delivery .. ',"worker":' .. worker
    .. (firstAt and ',"firstAt":' .. firstAt or "") .. (isRepeat and ',"isRepeat":true}' or "}")
end

return {
  nextFence = nextFence,
  reservationText = reservationText,
  readEntry = readEntry,
  writeEntry = writeEntry,
  effectIn = effectIn,
  readEntries = readEntries,
  putInDoubt = putInDoubt,
}
