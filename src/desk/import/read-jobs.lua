--[[
  Reads jobs of a BullMQ queue.
]]
local call = command({
  keys = {
    -- Delayed jobs.
    "delayed",
    -- Job schedulers.
    "schedulers",
  },
  arguments = {
    "prefix",
    -- Job ids.
    "...",
  },
  returns = [[
    for each id: its kind, name, data, timestamp, priority, and from when it may run in milliseconds, "" for now. Kinds:
      "job", "gone", "child" and "parent" of a flow, "scheduled": its scheduler needs it to go on
  ]],
  whenFull = "stops at its first write",
})

local delayed, schedulers, start = call.delayed, call.schedulers, call.prefix

local function kindOf(key, name, parent, scheduler)
  if not name then return "gone" end
  if parent then return "child" end
  if redis.call("EXISTS", key .. ":dependencies", key .. ":processed") > 0 then return "parent" end
  if scheduler and redis.call("ZSCORE", schedulers, scheduler) then return "scheduled" end
  return "job"
end

local jobs = {}
for at = call.firstArgument, #ARGV do
  local key = start .. ARGV[at]
  local fields = redis.call("HMGET", key, "name", "data", "timestamp", "priority", "parentKey", "rjk")
  local score = redis.call("ZSCORE", delayed, ARGV[at])
  local due = score and string.format("%.0f", math.floor(tonumber(score) / 4096)) or ""
  local kind = kindOf(key, fields[1], fields[5], fields[6])
  jobs[#jobs + 1] = { kind, fields[1] or "", fields[2] or "", fields[3] or "", fields[4] or "0", due }
end
return jobs
