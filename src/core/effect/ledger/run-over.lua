--[[
  Records that the run is over that left an effect in doubt: nothing of it acts any more. Compare-and-set on the reservation id.
]]
local call = command({
  keys = {
    "ledger",
    -- Doubts, for its slot.
    "doubts",
  },
  arguments = { "effect", "reservationId" },
  returns = [[whether it was recorded (1 or 0)]],
  whenFull = "runs",
})
local entries = require("./entries")

local entry = entries.readEntry(call.ledger, call.effect)
if not entry or entry.reservationId ~= call.reservationId or entry.state == "done" then return 0 end
entry.isOver = true
entries.writeEntry(call.ledger, call.effect, entry)
return 1
