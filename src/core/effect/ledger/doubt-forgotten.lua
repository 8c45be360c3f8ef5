--[[
  Puts an effect in doubt whose reservation Redis has lost while its worker was in the middle of it, or had just finished. Where its
  attempt has completed the job, the effect is done: an attempt with any other outcome cannot complete.
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
  returns = [["in-doubt", or "known" where the ledger knows more, or the job's completion says that it is done]],
  whenFull = "runs",
})
local clock = require("../../../platform/redis/now")
local claimed = require("../../bullmq/claim/deliveries")
local leases = require("../../bullmq/claim/lease")
local facts = require("../../bullmq/job-facts")
local states = require("../../bullmq/job-state")
local entries = require("./entries")
local ledgers = require("./ledger")

local effect, dedupKey, id, prefix = call.effect, call.dedupKey, call.id, call.prefix
local known = entries.readEntry(call.ledger, effect)
if known and not (known.state == "reserved" and known.reservationId == call.reservationId) then return "known" end

ledgers.keep(call.ledger)
local now = clock.nowMs()
local delivery = tonumber(call.delivery)
local isDone = states.hasCompleted(prefix, id) and claimed.deliveryCount(prefix, id) == delivery
local entry = { reservationId = call.reservationId, fence = call.fence, job = id, delivery = delivery, worker = call.worker }
if isDone then
  entry.state, entry.at = "done", now
  entries.writeEntry(call.ledger, effect, entry)
else
  entry.firstAt = known and known.firstAt or now
  entries.putInDoubt(call.doubts, call.ledger, dedupKey, effect, entry, call.reason)
end
redis.call("HINCRBY", call.ledger, "open", (isDone and 0 or 1) - (known and 1 or 0))
if facts.jobExists(prefix, id) then
  leases.setDedupKey(prefix, id, dedupKey)
  ledgers.join(call.joined, call.ledger, id, dedupKey, now)
end
return isDone and "known" or "in-doubt"
