#!lua flags=allow-oom
--[[
  What earlier starts of a job have left open in its ledger, looked at before the job completes: a handler may not ask for the
  same effects each time, and a completed job must leave nothing open behind.

  KEYS[1] ledger   KEYS[2] doubts   KEYS[3] job
  ARGV[1] claim   ARGV[2] job id   ARGV[3] which start of the job asks

  Returns { "none" }, { "in-doubt", effect } or { "busy", effect, ms, how often this job has met that }
]]
if (redis.call("HGET", KEYS[1], "open") or "0") == "0" then return { "none" } end
local now = nowMs()
local busy
for _, field in ipairs(redis.call("HKEYS", KEYS[1])) do
  local entry = string.sub(field, 1, 2) == "e:" and cjson.decode(redis.call("HGET", KEYS[1], field))
  local effect = string.sub(field, 3)
  local isMine = entry and entry.state == "reserved" and entry.job == ARGV[2] and entry.start == tonumber(ARGV[3])
  if entry and entry.state == "in-doubt" then return { "in-doubt", effect } end
  if entry and entry.state == "reserved" and not isMine then
    if now < entry.deadline then
      busy = { "busy", effect, entry.deadline - now }
    else
      entry.state = "in-doubt"
      entry.at = now
      entry.reason = "its worker did not report before the deadline"
      redis.call("HSET", KEYS[1], field, cjson.encode(entry))
      redis.call("ZADD", KEYS[2], now, ARGV[1] .. "/" .. effect)
      return { "in-doubt", effect }
    end
  end
end
if not busy then return { "none" } end
busy[4] = redis.call("HINCRBY", KEYS[3], "busy", 1)
return busy
