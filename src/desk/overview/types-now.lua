--[[
  Which types the waiting and active jobs of a queue have, at the same cost at any depth: of each list it looks at the next jobs.
]]
local call = command({
  keys = { "workers" },
  arguments = {
    "prefix",
    -- How many jobs of each list to look at.
    "most",
  },
  returns = [[
    for each list: its length, how many jobs were looked at, then for each type its name, how many of those, and since when
    the first one could run, or runs. Lists: wait, paused, prioritized, held, active
  ]],
  whenFull = "stops at its first write",
})
local facts = require("../../core/bullmq/job-facts")
local readiness = require("./ready-since")

local prefix, most = call.prefix, tonumber(call.most)

-- The next to run, first.
local function nextOf(name)
  local key = prefix .. name
  if name == "prioritized" then return redis.call("ZCARD", key), redis.call("ZRANGE", key, 0, most - 1) end
  if name == "held" then
    local held = facts.heldCount(prefix)
    return held, held == 0 and {} or redis.call("ZRANGE", prefix .. "waiting-children", 0, math.min(held, most) - 1)
  end
  local ids, reversed = redis.call("LRANGE", key, -most, -1), {}
  for at = #ids, 1, -1 do reversed[#reversed + 1] = ids[at] end
  return redis.call("LLEN", key), reversed
end

local function typesOf(name)
  local length, ids = nextOf(name)
  local order, counts, first = {}, {}, {}
  for _, id in ipairs(ids) do
    local found = redis.pcall("HGET", prefix .. id, "name")
    if type(found) == "string" then
      if not counts[found] then
        order[#order + 1] = found
        counts[found], first[found] = 0, readiness.readySince(prefix, id) or 0
      end
      counts[found] = counts[found] + 1
    end
  end
  local reply = { length, #ids }
  for _, found in ipairs(order) do
    for _, value in ipairs({ found, counts[found], string.format("%.0f", first[found]) }) do
      reply[#reply + 1] = value
    end
  end
  return reply
end

return { typesOf("wait"), typesOf("paused"), typesOf("prioritized"), typesOf("held"), typesOf("active") }
