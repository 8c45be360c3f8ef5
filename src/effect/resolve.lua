#!lua flags=allow-oom
--[[
  Resolves an effect that is in doubt, with evidence, and lets its job go on. Compare-and-set on the state, so that of two
  people who resolve it at once one learns that it was resolved already. One step, so that nobody can die between the two and
  leave the job failed with nothing in doubt.

  KEYS[1] ledger   KEYS[2] doubts   KEYS[3] audit   KEYS[4] the jobs that are joined to ledgers
  ARGV[1] effect   ARGV[2] "done" or "not-done"   ARGV[3] result as JSON, or ""   ARGV[4] evidence   ARGV[5] who
  ARGV[6] milliseconds to remember it once nothing is open and no job uses it   ARGV[7] name of the claim
  ARGV[8] how the keys of the queue begin

  Returns { "resolved", job id, what becomes of the job } or { "not-in-doubt", state or false }. The job is
          "retried"     it had failed, and is back in the queue
          "in-doubt"    another effect of its ledger is still open: it goes on when that is resolved
          "running"     it has not ended: its attempt, or its next one, goes on with what is known now
          "cancelled"   it stays cancelled
          "completed"   it had completed
          "gone"        the retention has removed it
]]
local AUDIT_MAX = 100000
local field = "e:" .. ARGV[1]
local known = redis.call("HGET", KEYS[1], field)
local entry = known and cjson.decode(known)
if not entry then return { "not-in-doubt", false } end
if entry.state ~= "in-doubt" then return { "not-in-doubt", entry.state } end

local prefix, id, claim = ARGV[8], entry.job, ARGV[7]

local function letJobGoOn()
  local job = prefix .. id
  if redis.call("EXISTS", job) == 0 then return "gone" end
  if redis.call("ZSCORE", prefix .. "completed", id) then return "completed" end
  if not redis.call("ZSCORE", prefix .. "failed", id) then
    -- Its attempt may fail for the doubt that it knew: the sweep then lets it go on.
    redis.call("ZADD", KEYS[4], "XX", nowMs(), id .. "/" .. claim)
    return "running"
  end
  if string.find(redis.call("HGET", job, "failedReason") or "", "CANCELLED:", 1, true) == 1 then return "cancelled" end
  if redis.call("HGET", KEYS[1], "open") ~= "0" then return "in-doubt" end
  join(KEYS[4], KEYS[1], redis.call("HGET", KEYS[1], "jobs"), id, claim, nowMs())
  retryFailedJob(prefix, id)
  return "retried"
end

if ARGV[2] == "done" then
  local result = ARGV[3] ~= "" and ARGV[3] or entry.lateResult
  entry.state = "done"
  entry.at = nowMs()
  entry.settledBy = ARGV[5]
  redis.call("HSET", KEYS[1], field, cjson.encode(entry))
  if result then redis.call("HSET", KEYS[1], "r:" .. ARGV[1], result) end
else
  redis.call("HDEL", KEYS[1], field)
end
redis.call("ZREM", KEYS[2], claim .. "/" .. ARGV[1])
redis.call("HINCRBY", KEYS[1], "open", -1)
local fate = letJobGoOn()
letExpire(KEYS[1], ARGV[6])
redis.call("XADD", KEYS[3], "MAXLEN", "~", AUDIT_MAX, "*",
  "job", id, "effect", ARGV[1], "as", ARGV[2], "evidence", ARGV[4], "by", ARGV[5], "claim", claim)
return { "resolved", id, fate }
