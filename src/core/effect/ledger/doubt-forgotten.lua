--[[
  Puts an effect in doubt whose reservation Redis has lost while its worker was in the middle of it, or had just finished.
  Atomic: no other attempt begins it between the look and the write. Allowed when Redis is full: nobody else knows of it.
]]
local call = command({
  keys = { "ledger", "doubts", "joined" },
  arguments = {
    "effect",
    "reservationId",
    -- Why.
    "reason",
    "dedupKey",
    "id",
    -- Delivery count.
    "delivery",
    "worker",
    "prefix",
    -- The run's fence.
    "fence",
  },
  returns = [["in-doubt", or "known" where the ledger knows more]],
  whenFull = "runs",
})
local clock = require("../../../platform/redis/now")
local leases = require("../../bullmq/claim/lease")
local facts = require("../../bullmq/job-facts")
local entries = require("./entries")
local ledgers = require("./ledger")

local effect, dedupKey, id, prefix = call.effect, call.dedupKey, call.id, call.prefix
local known = entries.readEntry(call.ledger, effect)
if known and not (known.state == "reserved" and known.reservationId == call.reservationId) then return "known" end

ledgers.keep(call.ledger)
local now = clock.nowMs()
local entry = {
  reservationId = call.reservationId,
  firstAt = known and known.firstAt or now,
  job = id,
  delivery = tonumber(call.delivery),
  worker = call.worker,
  fence = call.fence,
}
entries.putInDoubt(call.doubts, call.ledger, dedupKey, effect, entry, call.reason)
if not known then redis.call("HINCRBY", call.ledger, "open", 1) end
if facts.jobExists(prefix, id) then
  leases.setDedupKey(prefix, id, dedupKey)
  ledgers.join(call.joined, call.ledger, id, dedupKey, now)
end
return "in-doubt"
