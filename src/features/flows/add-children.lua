--[[
  Adds children to a flow that is open, each unless another job has its deduplication key: then that one becomes the child. Atomic: no job is
  without its key, or without its parent.

  KEYS[1] epoch; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2], ARGV[3] id and count of the epoch that the producer has seen
  ARGV[4] the parent, as BullMQ stores it with its children
  ARGV[5…] for each child: id, name, data, key as envelope.ts has it, options, deduplication key and its milliseconds, delay in milliseconds, priority,
    extras as place-job.lua has them

  Returns for each child the id of the job that has its key: false where it is this one, now added; 0 where there is no room; 1 where another
  flow still waits for that job; 2 where the flow is closed. Then the epoch's count. "other-epoch" where nothing was done.
]]
-- @include ./adopt-child.lua
-- @include ../../core/bullmq/add/place-job.lua
-- @include ../../platform/redis/fitness/epoch.lua
-- @include ../../platform/redis/fitness/memory.lua

local FIRST, FIELDS = 5, 10
local NO_ROOM, AWAITED_ELSEWHERE, CLOSED = 0, 1, 2
local prefix = ARGV[1]

local isSeen, count = isEpoch(KEYS[1], ARGV[2], ARGV[3])
if not isSeen then return "other-epoch" end
local parent = cjson.decode(ARGV[4])
local parentKey = prefix .. parent.id

local function sameForAll(answer)
  local answers = {}
  for _ = FIRST, #ARGV, FIELDS do answers[#answers + 1] = answer end
  answers[#answers + 1] = count
  return answers
end

if not isFlowOpen(parentKey) then return sameForAll(CLOSED) end
if not hasRoom() then return sameForAll(NO_ROOM) end

local function queueIn(id)
  return string.match(id, "^[^_]+")
end

local function addChild(id, ...)
  local holder = addJob(id, ...)
  if holder then
    -- An id of another queue leads there.
    if queueIn(holder) ~= queueIn(parent.id) then return holder end
    return adoptChild(prefix, holder, parent, ARGV[4], nowMs()) and holder or AWAITED_ELSEWHERE
  end
  redis.call("HSET", prefix .. id, "parentKey", parentKey, "parent", ARGV[4])
  redis.call("SADD", parentKey .. ":dependencies", prefix .. id)
  return false
end

beginPlacing(prefix)
redis.call("HSET", parentKey, "onChildFailure", parent.fpof and "fail" or "continue")
local answers = {}
for at = FIRST, #ARGV, FIELDS do
  answers[#answers + 1] = addChild(unpack(ARGV, at, at + FIELDS - 1))
end
finishPlacing(#answers)
answers[#answers + 1] = countChange(KEYS[1])
return answers
