--[[
  Releases a reservation: this run of the effect provably did nothing. Compare-and-set on (state, reservation id).
]]
local call = command({
  keys = { "ledger", "doubts" },
  arguments = {
    "effect",
    "reservationId",
    -- Milliseconds to keep a ledger that no job uses and in which nothing is open.
    "keepMs",
    "dedupKey",
  },
  returns = [[
    "released"
            "in-doubt"  it was put in doubt before, and the report is kept with it; or it was a repetition, and
                        this run proves nothing about the earlier one
            "refused"   the effect is no longer reserved by this attempt
  ]],
  whenFull = "runs",
})
local entries = require("./entries")
local ledgers = require("./ledger")

local entry = entries.readEntry(call.ledger, call.effect)
if not entry or entry.reservationId ~= call.reservationId or entry.state == "done" then return "refused" end

if entry.state == "in-doubt" then
  entry.report = "not-done"
  entries.writeEntry(call.ledger, call.effect, entry)
  return "in-doubt"
end
if entry.isRepeat then
  entries.putInDoubt(call.doubts, call.ledger, call.dedupKey, call.effect, entry, "an earlier run never reported")
  return "in-doubt"
end
ledgers.removeEntry(call.ledger, call.effect, entry.fence)
redis.call("HINCRBY", call.ledger, "open", -1)
ledgers.letExpire(call.ledger, call.keepMs)
return "released"
