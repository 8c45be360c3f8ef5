--[[
  Ends the submission of a flow that has got all its children: its parent runs when they have ended, which may be now. Atomic: the parent is
  released once.

  KEYS[1] epoch; all other keys share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2], ARGV[3] id and count of the epoch that the producer has seen
  ARGV[4] the parent's id   ARGV[5] how many children it must have
  ARGV[6] the parent's deduplication key   ARGV[7] milliseconds from now for which it is held at least: longer than those of the children

  Returns { 1 where it is closed, 0 where children are missing; the epoch's count }. "other-epoch" where nothing was done.
]]
-- @include ./children.lua
-- @include ./flow.lua
-- @include ../../core/bullmq/names.lua
-- @include ../../platform/redis/fitness/epoch.lua

local prefix, id = ARGV[1], ARGV[4]
local isSeen, count = isEpoch(KEYS[1], ARGV[2], ARGV[3])
if not isSeen then return "other-epoch" end

local parent = prefix .. id
if not isFlowOpen(parent) then return { 1, count } end
local waiting, completed, failed = countChildren(parent)
if waiting + completed + failed < tonumber(ARGV[5]) then return { 0, count } end

local key = holderKey(prefix, ARGV[6])
if redis.call("GET", key) == id and redis.call("PTTL", key) < tonumber(ARGV[7]) then
  redis.call("PEXPIRE", key, ARGV[7])
end
closeFlow(parent)
releaseParent(prefix, id)
return { 1, countChange(KEYS[1]) }
