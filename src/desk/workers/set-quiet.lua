--[[
  Tells a worker to claim no more jobs of a queue, or to go on. Atomic: only the process that is meant, and only if it still is as somebody
  has seen it.
]]
local call = command({
  keys = {
    -- Workers (hash).
    "workers",
    -- What workers were told (hash).
    "quiet",
  },
  arguments = {
    -- The worker's name.
    "worker",
    -- When it started, in milliseconds.
    "startedAt",
    -- What it is told, as JSON.
    "record",
    -- Since when it was quiet, in milliseconds; 0 where it was not, empty for whatever it is.
    "seen",
  },
  returns = [[1, 0 if that has changed, -1 if there is no such process]],
  whenFull = "runs",
})

local heartbeat = redis.call("HGET", call.workers, call.worker)
if not heartbeat or cjson.decode(heartbeat).startedAt ~= tonumber(call.startedAt) then return -1 end
if call.seen ~= "" then
  local stored = redis.call("HGET", call.quiet, call.worker)
  local known = stored and cjson.decode(stored) or {}
  local since = known.startedAt == tonumber(call.startedAt) and known.since or 0
  if since ~= tonumber(call.seen) then return 0 end
end
redis.call("HSET", call.quiet, call.worker, call.record)
return 1
