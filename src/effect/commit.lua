#!lua flags=allow-oom
--[[
  Records that effects ran to their end; many can travel in one call. Compare-and-set on (state, owner): a worker that
  was paused for too long finds that others have moved on. Allowed when the store is full, since the effects have
  happened already.

  The attempt does not wait for the answer: its completion follows right behind on the same connection. A report that is
  not taken must keep that from being taken, too, so it costs the attempt its lock: the job is then found as stalled, and
  its next attempt finds the doubt.

  KEYS[1] doubts, for its slot, in which all ledgers lie
  ARGV[1] how the names of ledgers begin; a job's claim completes one   ARGV[2] how the keys of jobs begin
  ARGV[3] milliseconds to remember a ledger once nothing in it is open and no job that uses it lives
  ARGV[4] JSON, for each effect: [claim, effect, owner, result as JSON ("" for none), job id, lock token, which start of
    the job this is as text]

  Returns JSON, for each
          "done"      also when it was recorded before by this very owner
          "in-doubt"  it was declared in doubt meanwhile; the report is kept with it, for whoever settles it
          "refused"   the effect is no longer this owner's
]]
local now = nowMs()

local function commit(claim, effect, owner, result)
  local ledger, field = ARGV[1] .. claim, "e:" .. effect
  local known, open, jobs = unpack(redis.call("HMGET", ledger, field, "open", "jobs"))
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
  local written = { field, cjson.encode(entry), "open", open - 1 }
  if result ~= "" then
    written[5], written[6] = "r:" .. effect, result
  end
  redis.call("HSET", ledger, unpack(written))
  if open == "1" and (jobs or "0") == "0" then redis.call("PEXPIRE", ledger, ARGV[3]) end
  return "done"
end

local function takeLock(job, lockToken, start)
  if redis.call("GET", job .. ":lock") == lockToken and redis.call("HGET", job, "ats") == start then
    redis.call("DEL", job .. ":lock")
  end
end

local outcomes = {}
for index, report in ipairs(cjson.decode(ARGV[4])) do
  local claim, effect, owner, result, jobId, lockToken, start = unpack(report)
  local outcome = commit(claim, effect, owner, result)
  if outcome ~= "done" then takeLock(ARGV[2] .. jobId, lockToken, start) end
  outcomes[index] = outcome
end
return cjson.encode(outcomes)
