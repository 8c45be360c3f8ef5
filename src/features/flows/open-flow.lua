--[[
  Adds the parent of a flow, unless another job has its deduplication key. It waits for its children, and does not run before the flow has
  got all of them. Atomic: no parent is without its key, or could run.

  KEYS[1] epoch; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2], ARGV[3] id and count of the epoch that the producer has seen
  ARGV[4…] id, name, data, key as envelope.ts has it, options, deduplication key and its milliseconds, delay (0), priority,
    extras as place-job.lua has them, of which none holds it

  Returns { the id of the job that has the key: false where it is this one, now added; 0 where there is no room; the epoch's count }.
  "other-epoch" where nothing was done.
]]
-- @include ./flow.lua
-- @include ../../core/bullmq/add/place-job.lua
-- @include ../../core/bullmq/names.lua
-- @include ../../platform/redis/fitness/epoch.lua
-- @include ../../platform/redis/fitness/memory.lua

local prefix = ARGV[1]
local isSeen, count = isEpoch(KEYS[1], ARGV[2], ARGV[3])
if not isSeen then return "other-epoch" end

local id, name, data, ownKey, options, dedupKey, dedupKeyMs, _, priority, extras = unpack(ARGV, 4)
local key = holderKey(prefix, dedupKey)
local holder = redis.call("GET", key)
if holder then return { holder, count } end
if not hasRoom() then return { 0, count } end

beginPlacing(prefix)
redis.call("SET", key, id, "PX", dedupKeyMs)
writeJob(id, name, data, ownKey, options, 0, tonumber(priority))
if extras ~= "" then placeExtras(id, placedAt, cjson.decode(extras)) end
openFlow(prefix .. id)
awaitChildren(prefix, id, nowMs())
finishPlacing(1)
return { false, countChange(KEYS[1]) }
