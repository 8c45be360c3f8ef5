--[[
  Ends the submission of a flow that has got all its children: its parent runs when they have ended, which may be now. Atomic: the parent is
  released once.
]]
local call = command({
  keys = { "epoch" },
  arguments = {
    "prefix",
    "epochId",
    "epochCount",
    -- The parent's id.
    "id",
    -- How many children it must have.
    "childrenMin",
    -- The parent's deduplication key.
    "dedupKey",
    -- Milliseconds from now for which it is held at least: longer than those of the children.
    "keyMs",
  },
  returns = [[{ 1 where it is closed, 0 where children are missing; the epoch's count }. "other-epoch" where nothing was done.]],
  whenFull = "stops at its first write",
})
local names = require("../../core/bullmq/names")
local epochs = require("../../platform/redis/fitness/epoch")
local childCounts = require("./children")
local flows = require("./flow")

local prefix, id = call.prefix, call.id
local isSeen, count = epochs.isEpoch(call.epoch, call.epochId, call.epochCount)
if not isSeen then return "other-epoch" end

local parent = prefix .. id
if not flows.isFlowOpen(parent) then return { 1, count } end
local waiting, completed, failed = childCounts.countChildren(parent)
if waiting + completed + failed < tonumber(call.childrenMin) then return { 0, count } end

local key = names.holderKey(prefix, call.dedupKey)
if redis.call("GET", key) == id and redis.call("PTTL", key) < tonumber(call.keyMs) then
  redis.call("PEXPIRE", key, call.keyMs)
end
flows.closeFlow(parent)
flows.releaseParent(prefix, id)
return { 1, epochs.countChange(call.epoch) }
