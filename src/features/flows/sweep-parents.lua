#!lua flags=allow-oom
--[[
  Looks at parents that wait for their children, in turn, and records ends that nobody has reported to them: of a child that several flows
  share, or that another tool has ended. So no parent waits for what has ended. Of a parent's children it looks at a random sample, and at
  another where all of it had ended: the fewer still run, the sooner an ended one is found. Atomic for each parent. Any number of
  workers may run it: together they do so as often as one.

  KEYS[1] parents that wait for their children   KEYS[2] where the last sweep ended; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] how many parents to look at
  ARGV[3] how many children of each, in a sample   ARGV[4] milliseconds from one sweep to the next

  Returns how many ends it recorded
]]
-- @include ./look-at-children.lua
-- @include ../../platform/redis/now.lua

local prefix, parentsMax, sample = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now, recorded = nowMs(), 0

-- A parent's retry leaves it with a mark where it had too many failed children for one step.
local function lookOnAtUnsuccessful(id)
  local parent = prefix .. id
  local failed, hasMore = lookAtUnsuccessful(prefix, parent)
  if failed then failParent(prefix, id, failed) end
  if not failed and not hasMore and not isFlowOpen(parent) then
    redis.call("SREM", parent .. ":dependencies", openMark(parent))
  end
end

local function look(id)
  -- Another tool's flow can mean to wait for a failed child.
  if not redis.call("HGET", prefix .. id, "flow") then return end
  lookOnAtUnsuccessful(id)
  local looked = 0
  repeat
    local ended = lookAtDependencies(prefix, id, sample, now)
    recorded, looked = recorded + ended, looked + sample
  until ended < sample or looked >= CHILDREN_READ
  releaseParent(prefix, id)
end

local first = heldCount(prefix)
local waiting = redis.call("ZCARD", KEYS[1]) - first
if waiting == 0 then return 0 end
local sweptAt, offset = unpack(redis.call("HMGET", KEYS[2], "at", "offset"))
local agoMs = now - (tonumber(sweptAt) or 0)
-- Redis's clock may have been set back.
if agoMs >= 0 and agoMs < tonumber(ARGV[4]) then return 0 end
local from = tonumber(offset) or 0
if from >= waiting then from = 0 end
local parents = redis.call("ZRANGE", KEYS[1], first + from, first + from + parentsMax - 1)
for _, id in ipairs(parents) do look(id) end
redis.call("HSET", KEYS[2], "at", now, "offset", from + #parents)
return recorded
