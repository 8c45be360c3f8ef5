#!lua flags=allow-oom
--[[
  Puts an effect in doubt whose reservation Redis has lost while its worker was in the middle of it, or had just finished.
  Atomic: no other attempt begins it between the look and the write. Allowed when Redis is full: nobody else knows of it.

  KEYS[1] ledger   KEYS[2] doubts   KEYS[3] jobs joined to ledgers
  ARGV[1] effect   ARGV[2] reservation id   ARGV[3] why   ARGV[4] deduplication key   ARGV[5] job id   ARGV[6] delivery count
  ARGV[7] worker   ARGV[8] what all keys of the queue begin with   ARGV[9] the run's fence

  Returns "in-doubt", or "known" where the ledger knows more
]]
-- @include ./entries.lua
-- @include ./ledger.lua
-- @include ../../bullmq/job-facts.lua
-- @include ../../bullmq/claim/lease.lua

local effect, dedupKey, id, prefix = ARGV[1], ARGV[4], ARGV[5], ARGV[8]
local known = readEntry(KEYS[1], effect)
if known and not (known.state == "reserved" and known.reservationId == ARGV[2]) then return "known" end

keep(KEYS[1])
local now = nowMs()
local entry = {
  reservationId = ARGV[2],
  firstAt = known and known.firstAt or now,
  job = id,
  delivery = tonumber(ARGV[6]),
  worker = ARGV[7],
  fence = ARGV[9],
}
putInDoubt(KEYS[2], KEYS[1], dedupKey, effect, entry, ARGV[3])
if not known then redis.call("HINCRBY", KEYS[1], "open", 1) end
if jobExists(prefix, id) then
  setDedupKey(prefix, id, dedupKey)
  join(KEYS[3], KEYS[1], id, dedupKey, now)
end
return "in-doubt"
