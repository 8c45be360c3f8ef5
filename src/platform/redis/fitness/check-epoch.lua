--[[
  Compares Redis's epochs with those that a process remembers, and marks data losses. Atomic: all processes agree on what
  was found. It only stores what is known already, so it runs while Redis is full, too.

  What is remembered without a number was never an epoch: builds before this one could take such a thing from another command's reply. It
  is not believed, and a loss that was marked because of it is none.
]]
local call = command({
  keys = {
    -- Epochs.
    "...",
  },
  arguments = {
    -- Milliseconds after which a loss is accepted without an operator (-1: never).
    "acceptMs",
    -- 1 if replicas confirm changes: then the process has only seen confirmed ones.
    "hasReplicas",
    -- For each epoch five: the id that the process remembers ("" for none), the count that it has seen, an id for a new epoch, the layout of
    -- the queue's partitions that the process remembers ("" for none), the layout for a queue in which nothing was ever counted ("" for none).
    "...",
  },
  returns = [[for each { id, count to remember, layout }, or { "lost", since, the id and count remembered, the id and count found, keys evicted }]],
  whenFull = "runs",
})
local clock = require("../now")

local EARLIER_MAX = 400
local acceptMs, hasReplicas = tonumber(call.acceptMs), call.hasReplicas == "1"

-- NaN is no number that is equal to itself.
local function countIn(text)
  local count = tonumber(text)
  return count == count and count or nil
end

-- How many keys this server has evicted since its start. Whose they were it does not say.
local function evictedKeys()
  local info = redis.call("INFO", "stats")
  local _, last = string.find(info, "\nevicted_keys:", 1, true)
  return last and tonumber(string.match(info, "^%d+", last + 1)) or 0
end
local evicted = evictedKeys()

local function read(key)
  local epoch = redis.call("HMGET", key, "id", "count", "earlier", "since", "knownId", "knownCount", "foundId", "foundCount",
    "layout", "confirmed", "evicted", "evictions")
  local found = {
    key = key, id = epoch[1], count = tonumber(epoch[2] or 0), earlier = epoch[3] or "", since = epoch[4], knownId = epoch[5],
    knownCount = epoch[6], foundId = epoch[7], foundCount = epoch[8], layout = epoch[9], confirmed = tonumber(epoch[10] or 0),
    evicted = tonumber(epoch[11]), evictions = epoch[12] or "0",
  }
  if found.id == "lost" and found.knownCount and not countIn(found.knownCount) and found.foundId ~= "none" then
    found.id, found.count = found.foundId, tonumber(found.foundCount)
    redis.call("HDEL", key, "since", "knownId", "knownCount", "foundId", "foundCount", "evictions")
    redis.call("HSET", key, "id", found.id, "count", found.count)
  end
  return found
end

-- The layout that stands here; where there is none, the one that should.
local function layoutHere(epoch, asked)
  if epoch.layout then return epoch.layout end
  local layout = asked.layout
  if layout == "" and epoch.count == 0 and epoch.earlier == "" then layout = asked.firstLayout end
  if layout ~= "" then redis.call("HSET", epoch.key, "layout", layout) end
  return layout
end

local function begin(epoch, asked, names)
  redis.call("DEL", epoch.key)
  redis.call("HSET", epoch.key, "id", asked.newId, "count", 0, "earlier", string.sub(names, 1, EARLIER_MAX), "evicted", evicted)
  if epoch.layout then redis.call("HSET", epoch.key, "layout", epoch.layout) end
  return { asked.newId, 0, layoutHere(epoch, asked) }
end

local function lose(epoch, knownId, knownCount, evictions)
  local foundId, now = epoch.id or "none", clock.nowMs()
  redis.call("HSET", epoch.key, "id", "lost", "since", now, "earlier", epoch.earlier, "evicted", evicted, "evictions", evictions,
    "knownId", knownId, "knownCount", knownCount, "foundId", foundId, "foundCount", epoch.count)
  return { "lost", tostring(now), knownId, tostring(knownCount), foundId, tostring(epoch.count), tostring(evictions) }
end

-- What replicas have not confirmed may be lost without breaking a promise. Whoever has seen more confirmed says so here.
local function remembered(epoch, asked)
  if not hasReplicas then return { epoch.id, epoch.count, layoutHere(epoch, asked) } end
  local count = epoch.confirmed
  if epoch.id == asked.id and asked.count > count then
    count = asked.count
    redis.call("HSET", epoch.key, "confirmed", count)
  end
  return { epoch.id, count, layoutHere(epoch, asked) }
end

local function compare(epoch, asked)
  if epoch.id == "lost" then
    if acceptMs >= 0 and clock.nowMs() - epoch.since >= acceptMs then
      return begin(epoch, asked, epoch.knownId .. " " .. epoch.foundId .. " " .. epoch.earlier)
    end
    return { "lost", epoch.since, epoch.knownId, epoch.knownCount, epoch.foundId, epoch.foundCount, epoch.evictions }
  end
  -- An evicted key may have been a job, a key or an effect. A lower number is that of a server that was started again.
  if epoch.id and evicted ~= epoch.evicted then
    if epoch.evicted and evicted > epoch.evicted and (epoch.count > 0 or epoch.earlier ~= "") then
      return lose(epoch, epoch.id, epoch.count, evicted - epoch.evicted)
    end
    redis.call("HSET", epoch.key, "evicted", evicted)
  end
  if asked.id == "" then return epoch.id and remembered(epoch, asked) or begin(epoch, asked, "") end
  if epoch.id == asked.id and epoch.count >= asked.count then return remembered(epoch, asked) end
  -- A loss was accepted while this process was away.
  if epoch.id and epoch.id ~= asked.id and string.find(epoch.earlier, asked.id, 1, true) then return remembered(epoch, asked) end
  return lose(epoch, asked.id, asked.count, 0)
end

local function askedAt(from)
  local count = countIn(ARGV[from + 1])
  return {
    id = count and ARGV[from] or "", count = count or 0, newId = ARGV[from + 2], layout = ARGV[from + 3], firstLayout = ARGV[from + 4],
  }
end

local found, FIELDS = {}, 5
for at = 1, (#ARGV - call.firstArgument + 1) / FIELDS do
  found[at] = compare(read(KEYS[at]), askedAt(call.firstArgument + FIELDS * (at - 1)))
end
return found
