--[[
  Groups a slice of the failed jobs of a queue by type, by the code that their reason begins with and by their message's pattern. A job whose
  message is encrypted is a group of its own.
]]
local call = command({
  keys = {
    -- Failed; the jobs share its slot.
    "failed",
  },
  arguments = {
    "prefix",
    -- How many to skip, the latest first.
    "skipped",
    -- How many to read.
    "most",
    -- All codes, each between spaces.
    "codes",
  },
  returns = [[
    how many were read, then for each group: type, count, earliest, latest (milliseconds since 1970), id and reason of
    the latest, pattern ("" where the message is encrypted), how many failed in each hour of the last day (the latest first, with commas)
  ]],
  whenFull = "stops at its first write",
})
local facts = require("../../core/bullmq/job-facts")
local messages = require("./message-pattern")

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

local slice = facts.latestEnded(prefix, "failed", call.skipped, call.skipped + call.most - 1)
for at = 1, #slice, 2 do
  local id, failedAt = slice[at], slice[at + 1]
  local job = redis.pcall("HMGET", prefix .. id, "name", "failedReason")
  local type, reason = job[1] or "", job[2] or ""
  local kind = kindOf(reason)
  local name = type .. "\n" .. kind.name
  local group = groups[name]
  if group then
    group[2], group[3] = group[2] + 1, failedAt
  else
    group = { type, 1, failedAt, failedAt, id, reason, kind.pattern, noHours() }
    groups[name] = group
    order[#order + 1] = name
  end
  local hour = math.floor(math.max(0, now - failedAt) / HOUR_MS) + 1
  if hour <= HOURS then group[8][hour] = group[8][hour] + 1 end
end

local found = { #slice / 2 }
for _, name in ipairs(order) do
  local group = groups[name]
  group[8] = table.concat(group[8], ",")
  for _, value in ipairs(group) do found[#found + 1] = value end
end
return found
