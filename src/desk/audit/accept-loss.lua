--[[
  Accepts, on an operator's word, that Redis has lost data: a new epoch begins. Atomic: a loss found meanwhile is not
  accepted along with it.
]]
local call = command({
  keys = { "epoch", "audit" },
  arguments = {
    -- An id for the new epoch.
    "newId",
    "evidence",
    -- Who.
    "by",
  },
  returns = [[since when it was known, or false where nothing was lost]],
  whenFull = "runs",
})

local AUDIT_MAX = 100000
local EARLIER_MAX = 400
local id, since, known, found, earlier, layout = unpack(
  redis.call("HMGET", call.epoch, "id", "since", "knownId", "foundId", "earlier", "layout"))
if id ~= "lost" then return false end
local names = string.sub(known .. " " .. found .. " " .. (earlier or ""), 1, EARLIER_MAX)
redis.call("DEL", call.epoch)
redis.call("HSET", call.epoch, "id", call.newId, "count", 0, "earlier", names)
if layout then redis.call("HSET", call.epoch, "layout", layout) end
redis.call("XADD", call.audit, "MAXLEN", "~", AUDIT_MAX, "*",
  "job", "", "dedupKey", "", "effect", "", "as", "loss-accepted", "evidence", call.evidence, "by", call.by)
return since
