#!lua
--[[
  Claims one effect for one attempt, before it starts. Atomic, because between a check and a write another worker could
  take the job over and begin the same effect.

  KEYS[1] ledger of the job's key   KEYS[2] the job's lock   KEYS[3] the job's hash   KEYS[4] doubts
  ARGV[1] effect   ARGV[2] owner: a nonce of this call   ARGV[3] lock token   ARGV[4] which start of the job this is
  ARGV[5] milliseconds until the owner must have ended   ARGV[6] milliseconds for which it may be repeated, 0: never
  ARGV[7] job id   ARGV[8] worker   ARGV[9] name of the claim, for the doubts

  Returns { "reserved" }           the effect may start
          { "done", result }       it ran to its end before; result is JSON or false
          { "busy", ms }           another owner may still be at it, for so long
          { "in-doubt" }           nobody knows whether it happened
          { "not-held" }           this worker has lost the job: it must not begin anything
]]
local field = "e:" .. ARGV[1]

-- The token alone is no fence: a worker's slot uses it again for its next job. The count of starts tells attempts apart.
if redis.call("GET", KEYS[2]) ~= ARGV[3] then return { "not-held" } end
if redis.call("HGET", KEYS[3], "ats") ~= ARGV[4] then return { "not-held" } end

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call("HGET", KEYS[1], field)
local entry = known and cjson.decode(known)
local doubt = ARGV[9] .. "/" .. ARGV[1]

if entry and entry.state == "done" then return { "done", redis.call("HGET", KEYS[1], "r:" .. ARGV[1]) } end
if entry and entry.state == "reserved" then
  -- A reply was lost and the command sent again.
  if entry.owner == ARGV[2] then return { "reserved" } end
  if now < entry.deadline then return { "busy", entry.deadline - now } end
end
local mayRepeat = ARGV[6] ~= "0" and entry and now - entry.firstAt <= tonumber(ARGV[6])
if entry and not mayRepeat then
  -- Time alone never proves that an effect did not happen.
  if entry.state == "reserved" then
    entry.reason = "its worker did not report before the deadline"
    entry.at = now
  end
  entry.state = "in-doubt"
  entry.job = ARGV[7]
  redis.call("HSET", KEYS[1], field, cjson.encode(entry))
  redis.call("ZADD", KEYS[4], "NX", entry.at, doubt)
  return { "in-doubt" }
end

if entry then
  redis.call("ZREM", KEYS[4], doubt)
else
  redis.call("HINCRBY", KEYS[1], "open", 1)
end
local reservation = {
  state = "reserved",
  owner = ARGV[2],
  deadline = now + tonumber(ARGV[5]),
  firstAt = entry and entry.firstAt or now,
  again = entry and true or nil,
  at = now,
  job = ARGV[7],
  start = tonumber(ARGV[4]),
  worker = ARGV[8],
}
redis.call("HSET", KEYS[1], field, cjson.encode(reservation))
redis.call("PERSIST", KEYS[1])
return { "reserved" }
