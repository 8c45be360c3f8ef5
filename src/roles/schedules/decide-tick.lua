--[[
  Decides what becomes of a tick of a schedule whose jobs must not overlap. Atomic: a tick is decided once, in order, whichever
  scheduler asks first; what is older than the latest decided tick stays as it was decided.
]]
local call = command({
  keys = {
    -- The schedule's hash: `running`, the tick whose job has not ended, and its `job` once that is submitted; `queued`, the tick that
    -- waits for it; `until`, the latest decided tick; `skips`, as "<tick>:<tick it met> ", the latest first.
    "schedule",
  },
  arguments = {
    -- The tick, or "" where none is due.
    "tick",
    -- "skip" or "queue-one".
    "policy",
    -- The tick whose job is known to have ended, or "".
    "ended",
    -- How long decisions are kept, in milliseconds.
    "keepMs",
    -- How many skips are kept.
    "skipsMax",
  },
  returns = [[
    the decision, then `running`, `job` and `queued`, each "" where there is none. The decision is "run", "queued", "skipped",
    "decided" (before), "unsubmitted" (nothing: the running tick's job must be submitted first) or "" where no tick is due
  ]],
  whenFull = "stops at its first write",
})
local clock = require("../../platform/redis/now")

local key, at, policy, ended = call.schedule, call.tick, call.policy, call.ended
local running, job, queued, last, skips = unpack(
  redis.call("HMGET", key, "running", "job", "queued", "until", "skips"))

-- Redis's clock was set back: ticks that it has shown before may be due again.
if last and tonumber(last) > clock.nowMs() + 1000 then last = false end

local function start(tick)
  running, job = tick, false
end

local function skip()
  skips = at .. ":" .. running .. " " .. (skips or "")
  local position = 0
  for _ = 1, tonumber(call.skipsMax) do
    position = string.find(skips, " ", position + 1, true)
    if not position then return end
  end
  skips = string.sub(skips, 1, position)
end

local function decide()
  if at == "" then return "" end
  if at == running then return "run" end
  if at == queued then return "queued" end
  if last and tonumber(at) <= tonumber(last) then return "decided" end
  if running and not job then return "unsubmitted" end
  last = at
  if not running then
    start(at)
    return "run"
  end
  if policy == "queue-one" and not queued then
    queued = at
    return "queued"
  end
  skip()
  return "skipped"
end

local function save(field, value)
  if value then redis.call("HSET", key, field, value) else redis.call("HDEL", key, field) end
end

if running == ended then
  start(queued)
  queued = false
end
local decision = decide()
save("running", running)
save("job", job)
save("queued", queued)
save("until", last)
save("skips", skips)
-- A job may run for longer than anything is kept.
if running then redis.call("PERSIST", key) else redis.call("PEXPIRE", key, call.keepMs) end
return { decision, running or "", job or "", queued or "" }
