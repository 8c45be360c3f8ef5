#!lua flags=allow-oom
--[[
  Records that effects ran to their end; many can travel in one call. Compare-and-set on (state, owner): a worker that
  was paused for too long finds that others have moved on. Allowed when the store is full, since the effects have
  happened already.

  KEYS[1] doubts, for its slot, in which all ledgers lie
  ARGV[1] how the names of ledgers begin; a job's claim completes one
  ARGV[2] milliseconds to remember a ledger once all in it is settled
  ARGV[3…] for each effect: claim, effect, owner, result as JSON ("" for none)

  Returns for each
          "done"      also when it was recorded before by this very owner
          "in-doubt"  it was declared in doubt meanwhile; the report is kept with it, for whoever settles it
          "refused"   the effect is no longer this owner's
]]
local FIELDS = 4
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function commit(claim, effect, owner, result)
  local ledger, field = ARGV[1] .. claim, "e:" .. effect
  local known = redis.call("HGET", ledger, field)
  local entry = known and cjson.decode(known)
  if not entry or entry.owner ~= owner then return "refused" end
  if entry.state == "done" then return "done" end

  if entry.state == "in-doubt" then
    entry.report = "done"
    entry.lateResult = result ~= "" and result or nil
    redis.call("HSET", ledger, field, cjson.encode(entry))
    return "in-doubt"
  end

  entry.state = "done"
  entry.at = now
  entry.deadline = nil
  redis.call("HSET", ledger, field, cjson.encode(entry))
  if result ~= "" then redis.call("HSET", ledger, "r:" .. effect, result) end
  -- What is reserved or in doubt must never expire; with nothing of that left, all of it may.
  if redis.call("HINCRBY", ledger, "open", -1) == 0 then redis.call("PEXPIRE", ledger, ARGV[2]) end
  return "done"
end

local outcomes = {}
for at = 3, #ARGV, FIELDS do
  outcomes[#outcomes + 1] = commit(unpack(ARGV, at, at + FIELDS - 1))
end
return outcomes
