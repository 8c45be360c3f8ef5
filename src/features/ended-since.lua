-- Which jobs have ended since a sweep looked last.

-- Jobs of the latest moments may still come.
local LAG_MS = 1000

--[[
  Returns ids, each followed by when it ended, the earliest first, and whether there are more. Of the last moment it returns all or none.
  `set` has the jobs that ended in one state; `after` is the moment of the last one that was seen, "-inf" for none; at most `most` of them,
  or more where they all ended at the same moment.
]]
local function endedSince(set, after, now, most)
  local found = redis.call("ZRANGEBYSCORE", set, "(" .. after, now - LAG_MS, "WITHSCORES", "LIMIT", 0, most)
  if #found < 2 * most then return found, false end
  local last = found[#found]
  if found[2] == last then return redis.call("ZRANGEBYSCORE", set, last, last, "WITHSCORES"), true end
  while found[#found] == last do found[#found], found[#found - 1] = nil, nil end
  return found, true
end

return { endedSince = endedSince }
