#!lua
--[[
  Moves the deadlines of reserved effects, as if time had passed. For tests.

  KEYS[1] jobs joined to ledgers   KEYS[2] those that began one; the ledgers share their slot
  ARGV[1] ledger key prefix   ARGV[2] milliseconds
]]
-- @include ../core/effect/ledger/entries.lua

local ledgers = {}
local function find(members)
  for _, member in ipairs(members) do ledgers[ARGV[1] .. string.match(member, "/([^/]+)$")] = true end
end
find(redis.call("ZRANGE", KEYS[1], 0, -1))
find(redis.call("LRANGE", KEYS[2], 0, -1))

for ledger in pairs(ledgers) do
  for effect, entry in pairs(readEntries(ledger)) do
    if entry.state ~= "done" then
      if entry.firstAt then entry.firstAt = entry.firstAt - ARGV[2] end
      if entry.deadline then entry.deadline = entry.deadline - ARGV[2] end
      writeEntry(ledger, effect, entry)
    end
  end
end
