--[[
  Changes the pauses and skipped ticks of a schedule. Atomic: only if they are still those that it was decided on, so that of two people who
  pause a schedule at once, one learns of the other.
]]
local call = command({
  keys = {
    -- Pauses of all schedules (hash): `<schedule>:<since>` and JSON.
    "pauses",
  },
  arguments = {
    -- What the fields of the schedule begin with.
    "start",
    -- Fields and their values in turn, as a JSON array: as they were read.
    "read",
    -- The same: to write.
    "written",
    -- Fields to remove, as a JSON array.
    "removed",
  },
  returns = [[1, or 0 if they have changed]],
  whenFull = "stops at its first write",
})

local read = cjson.decode(call.read)
local count = 0
local found = redis.call("HGETALL", call.pauses)
local now = {}
for at = 1, #found, 2 do
  if string.sub(found[at], 1, #call.start) == call.start then
    count = count + 1
    now[found[at]] = found[at + 1]
  end
end
if count * 2 ~= #read then return 0 end
for at = 1, #read, 2 do
  if now[read[at]] ~= read[at + 1] then return 0 end
end
local written = cjson.decode(call.written)
for at = 1, #written, 2 do redis.call("HSET", call.pauses, written[at], written[at + 1]) end
for _, field in ipairs(cjson.decode(call.removed)) do redis.call("HDEL", call.pauses, field) end
return 1
