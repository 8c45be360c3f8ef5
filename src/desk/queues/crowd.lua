--[[
  Whose jobs wait, run, have started and have failed, at the same cost at any depth: of a long list it looks at some jobs from its beginning to
  its end.
]]
local call = command({
  keys = { "meta" },
  arguments = {
    "prefix",
    -- How many jobs of each list to look at.
    "most",
    -- In how many pieces, spread over the list.
    "pieces",
    -- Since when starts count, in milliseconds.
    "startedSince",
  },
  returns = [[
    for each list: its length, how many jobs were looked at, then for each type and label: type, label or "", how many of those. Lists: wait, paused,
    prioritized, held, active, failed, and those of the latest ended and active ones that have started since then
  ]],
  whenFull = "stops at its first write",
})
local curbs = require("../../core/bullmq/curb/curbs")
local facts = require("../../core/bullmq/job-facts")
local names = require("../../core/bullmq/names")

local prefix, most, pieces = call.prefix, tonumber(call.most), tonumber(call.pieces)

-- Ranks of a list of that length: all of them, or as many, in pieces.
local function eachPiece(length, read)
  local ids = {}
  local function add(first, last)
    for _, id in ipairs(read(first, last)) do ids[#ids + 1] = id end
  end
  if length <= most then
    add(0, length - 1)
  else
    local size, step = math.floor(most / pieces), (length - math.floor(most / pieces)) / (pieces - 1)
    for piece = 0, pieces - 1 do
      local first = math.floor(piece * step)
      add(first, first + size - 1)
    end
  end
  return ids
end

local function listed(key)
  local length = redis.call("LLEN", key)
  return length, length == 0 and {} or eachPiece(length, function(first, last) return redis.call("LRANGE", key, first, last) end)
end

local function sorted(key, length)
  return length, length == 0 and {} or eachPiece(length, function(first, last) return redis.call("ZRANGE", key, first, last) end)
end

local function counted(length, ids, since)
  local order, counts, looked = {}, {}, 0
  for _, id in ipairs(ids) do
    local job = redis.pcall("HMGET", prefix .. id, "name", names.OPTIONS, names.STARTED_AT)
    local isMeant = job[1] and (not since or (tonumber(job[3] or "") or 0) >= since)
    if isMeant then
      local label = curbs.labelIn(job[2]) or ""
      local of = job[1] .. "\n" .. label
      if not counts[of] then
        order[#order + 1] = { of, job[1], label }
        counts[of] = 0
      end
      counts[of] = counts[of] + 1
    end
    looked = looked + 1
  end
  local reply = { length, looked }
  for _, found in ipairs(order) do
    for _, value in ipairs({ found[2], found[3], counts[found[1]] }) do reply[#reply + 1] = value end
  end
  return reply
end

local function started()
  local ids = {}
  for _, state in ipairs({ "completed", "failed" }) do
    for _, id in ipairs(redis.call("ZREVRANGE", prefix .. state, 0, most - 1)) do ids[#ids + 1] = id end
  end
  for _, id in ipairs(redis.call("LRANGE", prefix .. "active", 0, most - 1)) do ids[#ids + 1] = id end
  return counted(#ids, ids, tonumber(call.startedSince))
end

return {
  counted(listed(prefix .. "wait")),
  counted(listed(prefix .. "paused")),
  counted(sorted(prefix .. "prioritized", redis.call("ZCARD", prefix .. "prioritized"))),
  counted(sorted(prefix .. "waiting-children", facts.heldCount(prefix))),
  counted(listed(prefix .. "active")),
  counted(sorted(prefix .. "failed", redis.call("ZCARD", prefix .. "failed"))),
  started(),
}
