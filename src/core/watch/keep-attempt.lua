--[[
  Stores with a job how one of its attempts failed, unless the job is gone. The latest ones stay, also over retries by hand, which count
  attempts from 1 again. Atomic, so that a repeated call stores nothing twice.

  KEYS[1] the job   ARGV[1] prefix of the fields   ARGV[2] JSON   ARGV[3] which attempt   ARGV[4] how many stay

  Returns OK
]]
local job, record, most = KEYS[1], ARGV[2], tonumber(ARGV[4])
local function fieldOf(number) return ARGV[1] .. number % most end

if redis.call("EXISTS", job) == 0 then return redis.status_reply("OK") end
-- Jobs of before it was counted have as many records as attempts.
local kept = tonumber(redis.call("HGET", job, "attemptsKept")) or tonumber(ARGV[3]) - 1
if redis.call("HGET", job, fieldOf(kept)) ~= record then
  redis.call("HSET", job, fieldOf(kept + 1), record, "attemptsKept", kept + 1)
end
return redis.status_reply("OK")
