--[[
  Finds some children of a parent: those that failed first, then those that have not ended, then those that completed. Results stay where
  they are: they can be large.
]]
local call = command({
  keys = {
    -- BullMQ's, of one parent.
    "dependencies",
    "processed",
    "failed",
    "unsuccessful",
  },
  arguments = {
    -- How many at most.
    "most",
  },
  returns = [[for each child: its key, "failed", "waiting" for one that has not ended, or "completed"]],
  whenFull = "writes nothing",
})

local most, found, known = tonumber(call.most), {}, {}

local function add(key, state)
  if #found >= 2 * most or known[key] or string.sub(key, -5) == ":open" then return end
  known[key] = true
  found[#found + 1] = key
  found[#found + 1] = state
end

-- A key of another type holds no children.
local function addScanned(command, key, width, state)
  local cursor = "0"
  repeat
    local page = redis.pcall(command, key, cursor, "COUNT", most)
    if page.err then return end
    cursor = page[1]
    for at = 1, #page[2], width do add(page[2][at], state) end
  until cursor == "0" or #found >= 2 * most
end

local unsuccessful = redis.pcall("ZRANGE", call.unsuccessful, 0, most - 1)
for _, key in ipairs(unsuccessful) do add(key, "failed") end
addScanned("HSCAN", call.failed, 2, "failed")
addScanned("SSCAN", call.dependencies, 1, "waiting")
addScanned("HSCAN", call.processed, 2, "completed")
return found
