#!lua flags=allow-oom
--[[
  Records that the run is over that left an effect in doubt: nothing of it acts any more. Compare-and-set on the reservation id.

  KEYS[1] ledger   KEYS[2] doubts, for its slot
  ARGV[1] effect   ARGV[2] reservation id

  Returns whether it was recorded (1 or 0)
]]
-- @include ./entries.lua

local entry = readEntry(KEYS[1], ARGV[1])
if not entry or entry.reservationId ~= ARGV[2] or entry.state == "done" then return 0 end
entry.isOver = true
writeEntry(KEYS[1], ARGV[1], entry)
return 1
