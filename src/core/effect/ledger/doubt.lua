#!lua flags=allow-oom
--[[
  Puts an effect in doubt: nobody can know whether it happened. Compare-and-set on (state, reservation id).

  KEYS[1] ledger   KEYS[2] doubts
  ARGV[1] effect   ARGV[2] reservation id   ARGV[3] why   ARGV[4] deduplication key   ARGV[5] what the worker saw leave
  ARGV[6] JSON of what the declaration lacked, "" for nothing

  Returns "in-doubt" or "refused"
]]
-- @include ./entries.lua

local entry = readEntry(KEYS[1], ARGV[1])
if not entry or entry.reservationId ~= ARGV[2] or entry.state == "done" then return "refused" end
entry.seen = ARGV[5]
entry.hint = ARGV[6] ~= "" and cjson.decode(ARGV[6]) or nil
if entry.state == "reserved" then
  putInDoubt(KEYS[2], KEYS[1], ARGV[4], ARGV[1], entry, ARGV[3])
else
  -- Another attempt was first; what this one saw is evidence all the same.
  writeEntry(KEYS[1], ARGV[1], entry)
end
return "in-doubt"
