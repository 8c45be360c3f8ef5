--[[
  Groups a slice of the failed jobs of one queue by type and by the code that their reason begins with.

  KEYS[1] failed   ARGV[1] how the keys of jobs begin   ARGV[2] how many to skip, the latest first   ARGV[3] how many to read

  Returns how many were read, then for each group: type, code, count, earliest, latest (milliseconds since 1970), id and
  reason of the latest
]]
local groups, order = {}, {}
local slice = redis.call("ZREVRANGE", KEYS[1], ARGV[2], ARGV[2] + ARGV[3] - 1, "WITHSCORES")
for at = 1, #slice, 2 do
  local id, failedAt = slice[at], slice[at + 1]
  local job = redis.pcall("HMGET", ARGV[1] .. id, "name", "failedReason")
  local type, reason = job[1] or "", job[2] or ""
  local code = string.match(reason, "^([A-Z_]+): ") or ""
  local name = type .. "\n" .. code
  local group = groups[name]
  if group then
    group.count = group.count + 1
    group.earliest = failedAt
  else
    groups[name] = { type = type, code = code, count = 1, earliest = failedAt, latest = failedAt, id = id,
      reason = reason }
    order[#order + 1] = name
  end
end

local told = { #slice / 2 }
for _, name in ipairs(order) do
  local group = groups[name]
  for _, value in ipairs({ group.type, group.code, group.count, group.earliest, group.latest, group.id, group.reason }) do
    told[#told + 1] = value
  end
end
return told
