#!lua flags=allow-oom
--[[
  Compares Redis's epoch with the one that a process remembers, and marks a data loss. Atomic: all processes agree on what
  was found. Allowed when Redis is full: it only stores what is known already.

  KEYS[1] epoch
  ARGV[1] the id that the process remembers ("" for none)   ARGV[2] the count that it has seen
  ARGV[3] an id for a new epoch   ARGV[4] milliseconds after which a loss is accepted without an operator (-1: never)
  ARGV[5] the layout of the queue's partitions that the process remembers ("" for none)
  ARGV[6] the layout for a queue in which nothing was ever counted ("" for none)
  ARGV[7] 1 if replicas confirm changes: then the process has only seen confirmed ones

  What is remembered without a number was never an epoch: builds before this one could take such a thing from another command's reply. It
  is not believed, and a loss that was marked because of it is none.

  Returns { id, count to remember, layout }, or { "lost", since, the id and count remembered, the id and count found, keys evicted }
]]
-- @include ../now.lua

local EARLIER_MAX = 400
-- NaN is no number that is equal to itself.
local function countIn(text)
  local count = tonumber(text)
  return count == count and count or nil
end

local seen = countIn(ARGV[2])
local known = seen and ARGV[1] or ""
local epoch = redis.call("HMGET", KEYS[1], "id", "count", "earlier", "since", "knownId", "knownCount", "foundId", "foundCount",
  "layout", "confirmed", "evicted", "evictions")
local id, count, earlier, since = epoch[1], tonumber(epoch[2] or 0), epoch[3] or "", epoch[4]
local evictedBefore = tonumber(epoch[11])

if id == "lost" and epoch[6] and not countIn(epoch[6]) and epoch[7] ~= "none" then
  id, count, since = epoch[7], tonumber(epoch[8]), nil
  redis.call("HDEL", KEYS[1], "since", "knownId", "knownCount", "foundId", "foundCount", "evictions")
  redis.call("HSET", KEYS[1], "id", id, "count", count)
end

-- How many keys this server has evicted since its start. Whose they were it does not say.
local function evictedKeys()
  local info = redis.call("INFO", "stats")
  local _, last = string.find(info, "\nevicted_keys:", 1, true)
  return last and tonumber(string.match(info, "^%d+", last + 1)) or 0
end
local evicted = evictedKeys()

-- The layout that stands here; where there is none, the one that should.
local function layoutHere()
  if epoch[9] then return epoch[9] end
  local layout = ARGV[5]
  if layout == "" and count == 0 and earlier == "" then layout = ARGV[6] end
  if layout ~= "" then redis.call("HSET", KEYS[1], "layout", layout) end
  return layout
end

local function begin(names)
  redis.call("DEL", KEYS[1])
  redis.call("HSET", KEYS[1], "id", ARGV[3], "count", 0, "earlier", string.sub(names, 1, EARLIER_MAX), "evicted", evicted)
  if epoch[9] then redis.call("HSET", KEYS[1], "layout", epoch[9]) end
  return { ARGV[3], 0, layoutHere() }
end

if id == "lost" then
  local acceptMs = tonumber(ARGV[4])
  if acceptMs >= 0 and nowMs() - since >= acceptMs then return begin(epoch[5] .. " " .. epoch[7] .. " " .. earlier) end
  return { "lost", since, epoch[5], epoch[6], epoch[7], epoch[8], epoch[12] or "0" }
end

local function lose(knownId, knownCount, evictions)
  local found, now = id or "none", nowMs()
  redis.call("HSET", KEYS[1], "id", "lost", "since", now, "earlier", earlier, "evicted", evicted, "evictions", evictions,
    "knownId", knownId, "knownCount", knownCount, "foundId", found, "foundCount", count)
  return { "lost", tostring(now), knownId, tostring(knownCount), found, tostring(count), tostring(evictions) }
end

-- An evicted key may have been a job, a key or an effect. A lower number is that of a server that was started again.
if id and evicted ~= evictedBefore then
  if evictedBefore and evicted > evictedBefore and (count > 0 or earlier ~= "") then
    return lose(id, count, evicted - evictedBefore)
  end
  redis.call("HSET", KEYS[1], "evicted", evicted)
end
-- What replicas have not confirmed may be lost without breaking a promise. Whoever has seen more confirmed says so here.
local function remembered()
  if ARGV[7] == "0" then return { id, count, layoutHere() } end
  local confirmed = tonumber(epoch[10] or 0)
  if id ~= known or seen <= confirmed then return { id, confirmed, layoutHere() } end
  redis.call("HSET", KEYS[1], "confirmed", seen)
  return { id, seen, layoutHere() }
end

if known == "" then return id and remembered() or begin("") end
if id == known and count >= seen then return remembered() end
-- A loss was accepted while this process was away.
if id and id ~= known and string.find(earlier, known, 1, true) then return remembered() end

return lose(known, seen, 0)
