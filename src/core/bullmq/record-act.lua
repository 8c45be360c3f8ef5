--[[
  What people do to a job: a line in the queue's audit log, and with the job, which keeps the newest.
]]
local clock = require("../../platform/redis/now")
local facts = require("./job-facts")

local AUDIT_MAX = 100000
local KEPT_WITH_JOB = 20

local function writeAudit(prefix, id, act)
  redis.call("XADD", prefix .. "audit", "MAXLEN", "~", AUDIT_MAX, "*",
    "job", id, "effect", act.effect or "", "as", act.as, "evidence", act.evidence or "", "by", act.by,
    "dedupKey", act.dedupKey or "", unpack(act.actId and { "actId", act.actId } or {}))
end

local function keepWithJob(prefix, id, act)
  if not facts.jobExists(prefix, id) then return end
  local isReadable, kept = pcall(cjson.decode, redis.call("HGET", prefix .. id, "acts") or "[]")
  if not isReadable or type(kept) ~= "table" then kept = {} end
  act.at = clock.nowMs()
  kept[#kept + 1] = act
  while #kept > KEPT_WITH_JOB do table.remove(kept, 1) end
  redis.call("HSET", prefix .. id, "acts", cjson.encode(kept))
end

-- `json` is an act, or empty where nobody did it. One of an act on many jobs has no line of its own: those would push out all others.
local function recordAct(prefix, id, json, as)
  if json == "" then return end
  local act = cjson.decode(json)
  act.as = as
  keepWithJob(prefix, id, act)
  if not act.actId then writeAudit(prefix, id, act) end
end

return { writeAudit = writeAudit, keepWithJob = keepWithJob, recordAct = recordAct }
