#!lua flags=allow-oom
--[[
  Releases a reservation: this run of the effect provably did nothing. Compare-and-set on (state, reservation id).

  KEYS[1] ledger   KEYS[2] doubts
  ARGV[1] effect   ARGV[2] reservation id   ARGV[3] milliseconds to keep a ledger that no job uses and in which nothing is open
  ARGV[4] deduplication key

  Returns "released"
          "in-doubt"  it was put in doubt before, and the report is kept with it; or it was a repetition, and
                      this run proves nothing about the earlier one
          "refused"   the effect is no longer reserved by this attempt
]]
-- @include ./entries.lua
-- @include ./ledger.lua

local entry = readEntry(KEYS[1], ARGV[1])
if not entry or entry.reservationId ~= ARGV[2] or entry.state == "done" then return "refused" end

if entry.state == "in-doubt" then
  entry.report = "not-done"
  writeEntry(KEYS[1], ARGV[1], entry)
  return "in-doubt"
end
if entry.isRepeat then
  putInDoubt(KEYS[2], KEYS[1], ARGV[4], ARGV[1], entry, "an earlier run never reported")
  return "in-doubt"
end
removeEntry(KEYS[1], ARGV[1], entry.fence)
redis.call("HINCRBY", KEYS[1], "open", -1)
letExpire(KEYS[1], ARGV[3])
return "released"
