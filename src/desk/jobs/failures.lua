--[[
  Groups a slice of the failed jobs of a queue by type, by the code that their reason begins with and by their message's pattern. A job whose
  message is encrypted is a group of its own.

  Jobs fail and are retried meanwhile, so a slice goes on behind a job, and not after so many: none is read twice, and none is left out.
]]
local call = command({
  keys = {
    -- Failed; the jobs share its slot.
    "failed",
  },
  arguments = {
    "prefix",
    -- "newer": those that failed after the mark, the earliest first; "older": those before it, the latest first.
    "direction",
    -- The mark: a job, and its score as Redis has written it; both empty for the end of the list.
    "markId",
    "markScore",
    -- How many to read.
    "most",
    -- All codes, each between spaces.
    "codes",
  },
  returns = [[
    how many were read, how many there are, id and score of the first and of the last that was read, then for each group: type, count,
    earliest, latest (milliseconds since 1970), id and reason of the latest, pattern ("" where the message is encrypted), how many failed in
    each hour of the last day (the latest first, with commas)
  ]],
  whenFull = "stops at its first write",
})
local facts = require("../../core/bullmq/job-facts")
local messages = require("../../core/watch/message-pattern")

local HOUR_MS, HOURS = 3600000, 24
local prefix, groups, order, known = call.prefix, {}, {}, {}
local now = redis.call("TIME")[1] * 1000

-- Many jobs fail for the same reason to the letter.
local function kindOf(reason)
  local kind = known[reason]
  if kind then return kind end
  local message, code = messages.messageOf(reason, call.codes)
  kind = messages.isEncrypted(message) and { name = reason, pattern = "" } or { pattern = messages.messagePattern(message) }
  kind.name = kind.name or code .. "\n" .. kind.pattern
  known[reason] = kind
  return kind
end

local function noHours()
  local hours = {}
  for hour = 1, HOURS do hours[hour] = 0 end
  return hours
end

local slice = facts.endedBeside(prefix, "failed", call.direction == "newer", call.markId, call.markScore, tonumber(call.most))
for at = 1, #slice, 2 do
  local id, failedAt = slice[at], slice[at + 1]
  local job = redis.pcall("HMGET", prefix .. id, "name", "failedReason")
  local type, reason = job[1] or "", job[2] or ""
  local kind = kindOf(reason)
  local name = type .. "\n" .. kind.name
  local group = groups[name]
  if not group then
    group = { type, 0, failedAt, failedAt, id, reason, kind.pattern, noHours() }
    groups[name] = group
    order[#order + 1] = name
  end
  group[2] = group[2] + 1
  if tonumber(failedAt) < tonumber(group[3]) then group[3] = failedAt end
  if tonumber(failedAt) > tonumber(group[4]) then group[4], group[5], group[6] = failedAt, id, reason end
  local hour = math.floor(math.max(0, now - failedAt) / HOUR_MS) + 1
  if hour <= HOURS then group[8][hour] = group[8][hour] + 1 end
end

local last = #slice - 1
local found = { #slice / 2, redis.call("ZCARD", call.failed), slice[1] or "", slice[2] or "", slice[last] or "", slice[last + 1] or "" }
for _, name in ipairs(order) do
  local group = groups[name]
  group[8] = table.concat(group[8], ",")
  for _, value in ipairs(group) do found[#found + 1] = value end
end
return found
