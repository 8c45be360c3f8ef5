--[[
  Announces which encryption keys a process has, unless they do not fit those in use. Atomic: of two processes that do not fit
  together, only the first is let in.
]]
local call = command({
  keys = {
    -- Keys in use: when each was last announced by a process that encrypts with it (hash).
    "inUse",
    -- Processes: the keys that each has, separated by spaces (hash).
    "processes",
    -- When they were seen (sorted set).
    "seen",
  },
  arguments = {
    "process",
    -- The key that it encrypts with, "" for none.
    "encryptsWith",
    -- Milliseconds for which a key stays in use.
    "keepMs",
    -- Milliseconds after which a silent process is gone.
    "goneMs",
    -- The keys that it has.
    "...",
  },
  returns = [[
    { "fits" }
            { "lacks", key, … }        others encrypt with these
            { "ahead", process, … }    these run without the key that it would begin to encrypt with
  ]],
  whenFull = "stops at its first write",
})

local process, encryptsWith = call.process, call.encryptsWith
local keepMs, goneMs = tonumber(call.keepMs), tonumber(call.goneMs)
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget(name)
  redis.call("HDEL", call.processes, name)
  redis.call("ZREM", call.seen, name)
end

local function missing(keys, has)
  for key in string.gmatch(keys, "%S+") do
    if key == has then return false end
  end
  return true
end

-- What it has, between spaces.
local own = table.concat(ARGV, " ", 5)
local isNew = encryptsWith ~= ""
local lacks = { "lacks" }
local inUse = redis.call("HGETALL", call.inUse)
for at = 1, #inUse, 2 do
  local isUsed = now - inUse[at + 1] <= keepMs
  if isUsed and inUse[at] == encryptsWith then isNew = false end
  if isUsed and missing(own, inUse[at]) then lacks[#lacks + 1] = inUse[at] end
end
if #lacks > 1 then
  forget(process)
  return lacks
end

for _, name in ipairs(redis.call("ZRANGEBYSCORE", call.seen, "-inf", now - goneMs)) do forget(name) end
local ahead = { "ahead" }
local others = isNew and redis.call("HGETALL", call.processes) or {}
for at = 1, #others, 2 do
  if others[at] ~= process and missing(others[at + 1], encryptsWith) then ahead[#ahead + 1] = others[at] end
end
if #ahead > 1 then
  forget(process)
  return ahead
end

if encryptsWith ~= "" then redis.call("HSET", call.inUse, encryptsWith, now) end
redis.call("HSET", call.processes, process, own)
redis.call("ZADD", call.seen, now, process)
return { "fits" }
