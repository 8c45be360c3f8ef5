--[[
  How much of everything a queue holds, and for how long what waits has waited, at a cost that does not depend on either.
  Atomic, so that the numbers fit together.

  KEYS[1] wait  KEYS[2] paused  KEYS[3] prioritized  KEYS[4] delayed  KEYS[5] active  KEYS[6] completed  KEYS[7] failed
  KEYS[8] doubts  KEYS[9] workers seen
  ARGV[1] how the keys of jobs begin   ARGV[2] milliseconds of silence after which a worker does not count

  Returns { waiting, prioritized, delayed, active, completed, failed, workers, doubts,
    milliseconds for which the next job in line, or one whose delay is over, might have run,
    milliseconds for which the oldest doubt has been one }
]]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Since when a job might run: its delay was over, or, where it ran before, its last attempt began.
local function readySince(id)
  local job = id and redis.pcall("HMGET", ARGV[1] .. id, "timestamp", "opts", "processedOn")
  local submitted = job and tonumber(job[1])
  if not submitted then return now end
  local readable, opts = pcall(cjson.decode, job[2] or "{}")
  local asked = readable and type(opts) == "table" and tonumber(opts.delay) or 0
  return math.max(submitted + asked, tonumber(job[3] or 0) or 0)
end

local due = redis.call("ZRANGE", KEYS[4], 0, 0, "WITHSCORES")[2]
local since = math.min(
  readySince(redis.call("LINDEX", KEYS[1], -1)),
  readySince(redis.call("LINDEX", KEYS[2], -1)),
  readySince(redis.call("ZRANGE", KEYS[3], 0, 0)[1]),
  due and math.floor(due / 4096) or now
)
local doubt = redis.call("ZRANGE", KEYS[8], 0, 0, "WITHSCORES")[2]

return {
  redis.call("LLEN", KEYS[1]) + redis.call("LLEN", KEYS[2]),
  redis.call("ZCARD", KEYS[3]),
  redis.call("ZCARD", KEYS[4]),
  redis.call("LLEN", KEYS[5]),
  redis.call("ZCARD", KEYS[6]),
  redis.call("ZCARD", KEYS[7]),
  redis.call("ZCOUNT", KEYS[9], now - ARGV[2], "+inf"),
  redis.call("ZCARD", KEYS[8]),
  now - since,
  doubt and now - doubt or 0,
}
