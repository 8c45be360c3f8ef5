#!lua flags=allow-oom
--[[
  Removes entries of tags whose jobs are gone: of the tags that were looked at longest ago, a random sample each. A tag in which many
  were gone is looked at again at once, so at most about a quarter of an index is stale. Atomic: a job that is being added is never
  counted as gone. Any number of workers may run it at once.

  KEYS[1] all tags; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] how many tags to look at   ARGV[3] how many entries of all of them
  ARGV[4] milliseconds after which a tag is looked at again

  Returns how many tags it looked at, at how many entries, and how many of those it removed
]]
-- @include ../../core/bullmq/job-facts.lua
-- @include ./tags.lua
-- @include ../../platform/redis/now.lua

local STALE_SHARE = 0.25
local prefix, now = ARGV[1], nowMs()

-- Returns how many it looked at, and how many were gone.
local function sweep(key, sample)
  local ids, gone = redis.call("ZRANDMEMBER", key, sample), {}
  for _, id in ipairs(ids) do
    if not jobExists(prefix, id) then gone[#gone + 1] = id end
  end
  if #gone > 0 then redis.call("ZREM", key, unpack(gone)) end
  return #ids, #gone
end

local tags = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[4], "LIMIT", 0, ARGV[2])
local sample = math.ceil(ARGV[3] / math.max(#tags, 1))
local read, removed = 0, 0
for _, tag in ipairs(tags) do
  local looked, gone = sweep(tagKey(prefix, tag), sample)
  read, removed = read + looked, removed + gone
  if looked == gone and looked < sample then
    redis.call("ZREM", KEYS[1], tag)
  elseif gone < looked * STALE_SHARE then
    redis.call("ZADD", KEYS[1], now, tag)
  end
end
return { #tags, read, removed }
