--[[
  Adds the parent of a flow, unless another job has its deduplication key. It waits for its children, and does not run before the flow has
  got all of them. Atomic: no parent is without its key, or could run.
]]
local call = command({
  keys = { "epoch" },
  arguments = {
    "prefix",
    "epochId",
    "epochCount",
    "id",
    "name",
    "data",
    -- As envelope.ts has it.
    "key",
    "options",
    "dedupKey",
    "dedupKeyMs",
    -- 0.
    "delayMs",
    "priority",
    -- As place-job.lua has them; none holds the parent.
    "extras",
  },
  returns = [[{ the id of the job that has the key: false where it is this one, now added; 0 where there is no room; the epoch's count }.
    "other-epoch" where nothing was done.]],
  whenFull = "stops at its first write",
})
local clock = require("../../platform/redis/now")
local epochs = require("../../platform/redis/fitness/epoch")
local flows = require("./flow")
local memory = require("../../platform/redis/fitness/memory")
local names = require("../../core/bullmq/names")
local place = require("../../core/bullmq/add/place-job")

local prefix, id = call.prefix, call.id
local isSeen, count = epochs.isEpoch(call.epoch, call.epochId, call.epochCount)
if not isSeen then return "other-epoch" end

local key = names.holderKey(prefix, call.dedupKey)
local holder = redis.call("GET", key)
if holder then return { holder, count } end
if not memory.hasRoom() then return { 0, count } end

local placing = place.begin(prefix)
redis.call("SET", key, id, "PX", call.dedupKeyMs)
place.writeJob(placing, id, call.name, call.data, call.key, call.options, 0, tonumber(call.priority))
if call.extras ~= "" then place.placeExtras(placing, id, placing.now, cjson.decode(call.extras)) end
flows.openFlow(prefix .. id)
flows.awaitChildren(prefix, id, clock.nowMs())
place.finish(placing, 1)
return { false, epochs.countChange(call.epoch) }
