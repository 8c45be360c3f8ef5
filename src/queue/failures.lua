--[[
  Groups a slice of the failed jobs of a queue by type and by the code that their reason begins with.

  KEYS[1] failed; the jobs share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] how many to skip, the latest first   ARGV[3] how many to read

  Returns how many were read, then for each group: type, count, earliest, latest (milliseconds since 1970), id and reason of
  the latest
]]
local prefix, groups, order = ARGV[1], {}, {}
local slice = latestEnded(prefix, "failed", ARGV[2], ARGV[2] + ARGV[3] - 1)
for at = 1, #slice, 2 do
  local id, failedAt = slice[at], slice[at + 1]
  local job = redis.pcall("HMGET", prefix .. id, "name", "failedReason")
  local type, reason = job[1] or "", job[2] or ""
  local name = type .. "\n" .. (failureCode(reason) or "")
  local group = groups[name]
  if group then
    group.count = group.count + 1
    group.earliest = failedAt
  else
    groups[name] = { type = type, count = 1, earliest = failedAt, latest = failedAt, id = id, reason = reason }
    order[#order + 1] = name
  end
end

local found = { #slice / 2 }
for _, name in ipairs(order) do
  local group = groups[name]
  for _, value in ipairs({ group.type, group.count, group.earliest, group.latest, group.id, group.reason }) do
    found[#found + 1] = value
  end
end
return found
