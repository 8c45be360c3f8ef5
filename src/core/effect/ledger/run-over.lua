--[[
  Records that the run is over that left an effect in doubt: nothing of it acts any more. Where it has succeeded after all, that is kept with
  the doubt, as a late commit is. Compare-and-set on the reservation id.
]]
local call = command({
  keys = {
    "ledger",
    -- Doubts, for its slot.
    "doubts",
  },
  arguments = {
    "effect",
    "reservationId",
    -- "done" where its function has returned, or "".
    "report",
    -- What that returned, as JSON, or "".
    "result",
  },
  returns = [[whether it was recorded (1 or 0)]],
  whenFull = "runs",
})
local entries = require("./entries")

local entry = entries.readEntry(call.ledger, call.effect)
if not entry or entry.reservationId ~= call.reservationId or entry.state == "done" then return 0 end
entry.isOver = true
if call.report == "done" then
  entry.report = "done"
  entry.lateResult = call.result ~= "" and call.result or nil
end
entries.writeEntry(call.ledger, call.effect, entry)
return 1
