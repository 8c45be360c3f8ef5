--[[
  Puts an effect in doubt: nobody can know whether it happened. Compare-and-set on (state, reservation id).
]]
local call = command({
  keys = { "ledger", "doubts" },
  arguments = {
    "effect",
    "reservationId",
    -- Why.
    "reason",
    "dedupKey",
    -- What the worker saw leave.
    "seen",
    -- JSON of what the declaration lacked, "" for nothing.
    "hint",
  },
  returns = [["in-doubt" or "refused"]],
  whenFull = "runs",
})
local entries = require("./entries")

local entry = entries.readEntry(call.ledger, call.effect)
if not entry or entry.reservationId ~= call.reservationId or entry.state == "done" then return "refused" end
entry.seen = call.seen
entry.hint = call.hint ~= "" and cjson.decode(call.hint) or nil
if entry.state == "reserved" then
  entries.putInDoubt(call.doubts, call.ledger, call.dedupKey, call.effect, entry, call.reason)
else
  -- Another attempt was first; what this one saw is evidence all the same.
  entries.writeEntry(call.ledger, call.effect, entry)
end
return "in-doubt"
