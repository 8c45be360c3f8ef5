#!lua flags=allow-oom
--[[
  Puts an effect in doubt whose reservation the store has forgotten while its worker was in the middle of it, or had just
  ended it. Atomic, so that no other attempt begins it between the look and the write. Allowed when the store is full: it
  writes down what nobody else knows.

  KEYS[1] ledger   KEYS[2] doubts   KEYS[3] job   KEYS[4] the jobs that are joined to ledgers
  ARGV[1] effect   ARGV[2] owner   ARGV[3] why   ARGV[4] claim, for the doubts and the job   ARGV[5] job id   ARGV[6] start   ARGV[7] worker

  Returns "in-doubt", or "known" where the ledger tells more already
]]
local field = "e:" .. ARGV[1]
local known = redis.call("HGET", KEYS[1], field)
local entry = known and cjson.decode(known)
if entry and not (entry.state == "reserved" and entry.owner == ARGV[2]) then return "known" end

local now = nowMs()
local doubt = {
  state = "in-doubt",
  owner = ARGV[2],
  firstAt = entry and entry.firstAt or now,
  at = now,
  reason = ARGV[3],
  job = ARGV[5],
  start = tonumber(ARGV[6]),
  worker = ARGV[7],
}
redis.call("HSET", KEYS[1], field, cjson.encode(doubt))
if not entry then redis.call("HINCRBY", KEYS[1], "open", 1) end
redis.call("PERSIST", KEYS[1])
redis.call("ZADD", KEYS[2], now, ARGV[4] .. "/" .. ARGV[1])
if redis.call("EXISTS", KEYS[3]) == 1 then
  redis.call("HSET", KEYS[3], "claim", ARGV[4])
  join(KEYS[4], KEYS[1], redis.call("HGET", KEYS[1], "jobs"), ARGV[5], ARGV[4], now)
end
return "in-doubt"
