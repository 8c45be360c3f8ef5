--[[
  Admission: the last of the memory is for the jobs that run, to renew their locks and to write down how they ended. The
  share is that of src/redis/memory.ts. Looked at in the store itself, it is known whoever fills it, and with nobody's help
  again when there is room.

  Included in the scripts that need it.
]]
local function hasRoom()
  local info = redis.call("INFO", "memory")
  local limit = tonumber(string.match(info, "\nmaxmemory:(%d+)") or 0)
  if limit == 0 then return true end
  local used = string.match(info, "\nused_memory:(%d+)") - (string.match(info, "\nmem_not_counted_for_evict:(%d+)") or 0)
  return used <= limit - math.min(math.max(limit / 10, 8388608), limit / 4)
end
