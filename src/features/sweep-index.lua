--[[
  Removes entries of an index whose jobs are gone: of the names that were looked at longest ago, a random sample each. A name in which many
  were gone is looked at again at once, so at most about a quarter of an index is stale. Atomic: a job that is being added is never
  counted as gone. Any number of workers may run it at once.
]]
local call = command({
  keys = {
    -- All names of the index.
    "names",
  },
  arguments = {
    "prefix",
    -- What the key of each name's set begins with, after `prefix`.
    "set",
    -- How many names to look at.
    "most",
    -- How many entries of all of them.
    "sample",
    -- Milliseconds after which a name is looked at again.
    "everyMs",
  },
  returns = [[how many names it looked at, at how many entries, and how many of those it removed]],
  whenFull = "runs",
})
local facts = require("../core/bullmq/job-facts")
local clock = require("../platform/redis/now")

local STALE_SHARE = 0.25
local prefix, now = call.prefix, clock.nowMs()

-- Returns how many it looked at, and how many were gone.
local function sweep(key, sample)
  local ids, gone = redis.call("ZRANDMEMBER", key, sample), {}
  for _, id in ipairs(ids) do
    if not facts.jobExists(prefix, id) then gone[#gone + 1] = id end
  end
  if #gone > 0 then redis.call("ZREM", key, unpack(gone)) end
  return #ids, #gone
end

local names = redis.call("ZRANGEBYSCORE", call.names, "-inf", now - call.everyMs, "LIMIT", 0, call.most)
local sample = math.ceil(call.sample / math.max(#names, 1))
local read, removed = 0, 0
for _, name in ipairs(names) do
  local looked, gone = sweep(prefix .. call.set .. name, sample)
  read, removed = read + looked, removed + gone
  if looked == gone and looked < sample then
    redis.call("ZREM", call.names, name)
  elseif gone < looked * STALE_SHARE then
    redis.call("ZADD", call.names, now, name)
  end
end
return { #names, read, removed }
