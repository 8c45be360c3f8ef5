--[[
  Removes entries of tags whose jobs are gone: of the tags that were looked at longest ago, a random sample each. A tag in which many
  were gone is looked at again at once, so at most about a quarter of an index is stale. Atomic: a job that is being added is never
  counted as gone. Any number of workers may run it at once.
]]
local call = command({
  keys = {
    -- All tags.
    "tags",
  },
  arguments = {
    "prefix",
    -- How many tags to look at.
    "most",
    -- How many entries of all of them.
    "sample",
    -- Milliseconds after which a tag is looked at again.
    "everyMs",
  },
  returns = [[how many tags it looked at, at how many entries, and how many of those it removed]],
  whenFull = "runs",
})
local facts = require("../../core/bullmq/job-facts")
local clock = require("../../platform/redis/now")
local tagSets = require("./tags")

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

local tags = redis.call("ZRANGEBYSCORE", call.tags, "-inf", now - call.everyMs, "LIMIT", 0, call.most)
local sample = math.ceil(call.sample / math.max(#tags, 1))
local read, removed = 0, 0
for _, tag in ipairs(tags) do
  local looked, gone = sweep(tagSets.tagKey(prefix, tag), sample)
  read, removed = read + looked, removed + gone
  if looked == gone and looked < sample then
    redis.call("ZREM", call.tags, tag)
  elseif gone < looked * STALE_SHARE then
    redis.call("ZADD", call.tags, now, tag)
  end
end
return { #tags, read, removed }
