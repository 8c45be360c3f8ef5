#!lua
--[[
  Moves the deadlines of reserved effects, as if time had passed. For tests.

  KEYS[1] jobs joined to ledgers; the ledgers share its slot
  ARGV[1] ledger key prefix   ARGV[2] milliseconds
]]
for _, member in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do
  local ledger = ARGV[1] .. string.match(member, "/([^/]+)$")
  for effect, entry in pairs(readEntries(ledger)) do
    if entry.state ~= "done" then
      entry.firstAt = entry.firstAt - ARGV[2]
      if entry.deadline then entry.deadline = entry.deadline - ARGV[2] end
      writeEntry(ledger, effect, entry)
    end
  end
end
