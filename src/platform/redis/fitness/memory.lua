--[[
  Redis's memory, and how much of it new jobs may use.

  New jobs leave a headroom for the running ones, which must still renew their locks and store results: a tenth of the limit,
  at least 8 MiB, at most a quarter.
]]

local HEADROOM_SHARE, HEADROOM_MIN, HEADROOM_SHARE_MAX = 1 / 10, 8 * 1024 * 1024, 1 / 4

-- Returns in bytes: what is used, the limit (0: none), and up to where new jobs are accepted.
local function readMemory()
  local info = redis.call("INFO", "memory")
  -- A plain search first: a pattern tried at each of thousands of characters cost a job as much as writing it (row `http-submit`).
  local field = function(name)
    local _, last = string.find(info, "\n" .. name .. ":", 1, true)
    return last and tonumber(string.match(info, "^%d+", last + 1)) or 0
  end
  -- Redis's own comparison leaves out buffers for replicas and the log.
  local used = field("used_memory") - field("mem_not_counted_for_evict")
  local limit = field("maxmemory")
  local headroom = math.min(math.max(limit * HEADROOM_SHARE, HEADROOM_MIN), limit * HEADROOM_SHARE_MAX)
  return used, limit, limit - headroom
end

local function hasRoom()
  local used, limit, acceptsUntil = readMemory()
  return limit == 0 or used <= acceptsUntil
end

return { readMemory = readMemory, hasRoom = hasRoom }
