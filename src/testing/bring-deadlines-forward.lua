--[[
  Moves the deadlines of reserved effects, as if time had passed. For tests.
]]
local call = command({
  keys = {
    "joined",
    -- Those that began one; the ledgers share their slot.
    "begun",
  },
  arguments = {
    "ledgerPrefix",
    -- Milliseconds.
    "ms",
  },
  returns = [[OK]],
  whenFull = "is refused",
})
local entries = require("../core/effect/ledger/entries")

local ledgers = {}
local function find(members)
  for _, member in ipairs(members) do ledgers[call.ledgerPrefix .. string.match(member, "/([^/]+)$")] = true end
end
find(redis.call("ZRANGE", call.joined, 0, -1))
find(redis.call("LRANGE", call.begun, 0, -1))

for ledger in pairs(ledgers) do
  for effect, entry in pairs(entries.readEntries(ledger)) do
    if entry.state ~= "done" then
      if entry.firstAt then entry.firstAt = entry.firstAt - call.ms end
      if entry.deadline then entry.deadline = entry.deadline - call.ms end
      entries.writeEntry(ledger, effect, entry)
    end
  end
end
