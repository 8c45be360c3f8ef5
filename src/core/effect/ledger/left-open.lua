--[[
  Looks before a job completes for what its earlier attempts have left open: a handler need not ask for the same effects each
  time, and a completed job must leave nothing open.
]]
local call = command({
  keys = { "ledger", "doubts" },
  arguments = {
    "dedupKey",
    "id",
    -- Delivery count of the attempt that asks.
    "delivery",
    "prefix",
  },
  returns = [[{ "none" }, { "in-doubt", effect } or { "busy", effect, ms, how often the job was deferred for that }]],
  whenFull = "runs",
})
local clock = require("../../../platform/redis/now")
local leases = require("../../bullmq/claim/lease")
local entries = require("./entries")

if (redis.call("HGET", call.ledger, "open") or "0") == "0" then return { "none" } end
local now = clock.nowMs()
local busy
for effect, entry in pairs(entries.readEntries(call.ledger)) do
  local isMine = entry.job == call.id and entry.delivery == tonumber(call.delivery)
  if entry.state == "in-doubt" then return { "in-doubt", effect } end
  if entry.state == "reserved" and not isMine then
    if now >= entry.deadline then
      entries.putInDoubt(call.doubts, call.ledger, call.dedupKey, effect, entry, "its worker did not report before the deadline")
      return { "in-doubt", effect }
    end
    busy = { "busy", effect, entry.deadline - now }
  end
end
if not busy then return { "none" } end
busy[4] = leases.countDeferral(call.prefix, call.id)
return busy
