--[[
  Announces which encryption keys a process has, unless they do not fit those in use. Atomic: of two processes that do not fit
  together, only the first is let in.

  KEYS[1] keys in use: when each was last announced by a process that encrypts with it (hash)
  KEYS[2] processes: the keys that each has, separated by spaces (hash)   KEYS[3] when they were seen (sorted set)
  ARGV[1] the process   ARGV[2] the key that it encrypts with, "" for none   ARGV[3] milliseconds for which a key stays in use
  ARGV[4] milliseconds after which a silent process is gone   ARGV[5…] the keys that it has

  Returns { "fits" }
          { "lacks", key, … }        others encrypt with these
          { "ahead", process, … }    these run without the key that it would begin to encrypt with
]]
local process, encryptsWith = ARGV[1], ARGV[2]
local keepMs, goneMs = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget(name)
  redis.call("HDEL", KEYS[2], name)
  redis.call("ZREM", KEYS[3], name)
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
local inUse = redis.call("HGETALL", KEYS[1])
for at = 1, #inUse, 2 do
  local isUsed = now - inUse[at + 1] <= keepMs
  if isUsed and inUse[at] == encryptsWith then isNew = false end
  if isUsed and missing(own, inUse[at]) then lacks[#lacks + 1] = inUse[at] end
end
if #lacks > 1 then
  forget(process)
  return lacks
end

for _, name in ipairs(redis.call("ZRANGEBYSCORE", KEYS[3], "-inf", now - goneMs)) do forget(name) end
local ahead = { "ahead" }
local others = isNew and redis.call("HGETALL", KEYS[2]) or {}
for at = 1, #others, 2 do
  if others[at] ~= process and missing(others[at + 1], encryptsWith) then ahead[#ahead + 1] = others[at] end
end
if #ahead > 1 then
  forget(process)
  return ahead
end

if encryptsWith ~= "" then redis.call("HSET", KEYS[1], encryptsWith, now) end
redis.call("HSET", KEYS[2], process, own)
redis.call("ZADD", KEYS[3], now, process)
return { "fits" }
