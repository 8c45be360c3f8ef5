--[[
  Adds children to a flow that is open, each unless another job has its deduplication key: then that one becomes the child. Atomic: no job is
  without its key, or without its parent.
]]
local call = command({
  keys = { "epoch" },
  arguments = {
    "prefix",
    "epochId",
    "epochCount",
    -- The parent, as BullMQ stores it with its children.
    "parent",
    -- For each child: id, name, data, key as envelope.ts has it, options, deduplication key and its milliseconds, delay in milliseconds,
    -- priority, extras as place-job.lua has them.
    "...",
  },
  returns = [[
    for each child the id of the job that has its key: false where it is this one, now added; 0 where there is no room; 1 where another
    flow still waits for that job; 2 where the flow is closed. Then the epoch's count. "other-epoch" where nothing was done.
  ]],
  whenFull = "stops at its first write",
})
local place = require("../../core/bullmq/add/place-job")
local epochs = require("../../platform/redis/fitness/epoch")
local memory = require("../../platform/redis/fitness/memory")
local clock = require("../../platform/redis/now")
local adoption = require("./adopt-child")
local flows = require("./flow")

local FIELDS = 10
local NO_ROOM, AWAITED_ELSEWHERE, CLOSED = 0, 1, 2
local prefix = call.prefix

local isSeen, count = epochs.isEpoch(call.epoch, call.epochId, call.epochCount)
if not isSeen then return "other-epoch" end
local parent = cjson.decode(call.parent)
local parentKey = prefix .. parent.id

local function sameForAll(answer)
  local answers = {}
  for _ = call.firstArgument, #ARGV, FIELDS do answers[#answers + 1] = answer end
  answers[#answers + 1] = count
  return answers
end

if not flows.isFlowOpen(parentKey) then return sameForAll(CLOSED) end
if not memory.hasRoom() then return sameForAll(NO_ROOM) end

local function queueIn(id)
  return string.match(id, "^[^_]+")
end

local function addChild(placing, id, ...)
  local holder = place.addJob(placing, id, ...)
  if holder then
    -- An id of another queue leads there.
    if queueIn(holder) ~= queueIn(parent.id) then return holder end
    return adoption.adoptChild(prefix, holder, parent, call.parent, clock.nowMs()) and holder or AWAITED_ELSEWHERE
  end
  redis.call("HSET", prefix .. id, "parentKey", parentKey, "parent", call.parent)
  redis.call("SADD", parentKey .. ":dependencies", prefix .. id)
  return false
end

local placing = place.begin(prefix)
redis.call("HSET", parentKey, "onChildFailure", parent.fpof and "fail" or "continue")
local answers = {}
for at = call.firstArgument, #ARGV, FIELDS do
  answers[#answers + 1] = addChild(placing, unpack(ARGV, at, at + FIELDS - 1))
end
place.finish(placing, #answers)
answers[#answers + 1] = epochs.countChange(call.epoch)
return answers
