--[[
  Looks at parents that wait for their children, in turn, and records ends that nobody has reported to them: of a child that several flows
  share, or that another tool has ended. So no parent waits for what has ended. Of a parent's children it looks at a random sample, and at
  another where all of it had ended: the fewer still run, the sooner an ended one is found. Atomic for each parent. Any number of
  workers may run it: together they do so as often as one.
]]
local call = command({
  keys = {
    -- Parents that wait for their children.
    "parents",
    -- Where the last sweep ended.
    "progress",
  },
  arguments = {
    "prefix",
    -- How many parents to look at.
    "most",
    -- How many children of each, in a sample.
    "sample",
    -- Milliseconds from one sweep to the next.
    "everyMs",
  },
  returns = [[how many ends it recorded]],
  whenFull = "runs",
})
local facts = require("../../core/bullmq/job-facts")
local clock = require("../../platform/redis/now")
local flows = require("./flow")
local childEnds = require("./look-at-children")

local prefix, parentsMax, sample = call.prefix, tonumber(call.most), tonumber(call.sample)
local now, recorded = clock.nowMs(), 0

-- A parent's retry leaves it with a mark where it had too many failed children for one step.
local function lookOnAtUnsuccessful(id)
  local parent = prefix .. id
  local failed, hasMore = childEnds.lookAtUnsuccessful(prefix, parent)
  if failed then flows.failParent(prefix, id, failed) end
  if not failed and not hasMore and not flows.isFlowOpen(parent) then
    redis.call("SREM", parent .. ":dependencies", flows.openMark(parent))
  end
end

local function look(id)
  -- Another tool's flow can mean to wait for a failed child.
  if not redis.call("HGET", prefix .. id, "flow") then return end
  lookOnAtUnsuccessful(id)
  local looked = 0
  repeat
    local ended = childEnds.lookAtDependencies(prefix, id, sample, now)
    recorded, looked = recorded + ended, looked + sample
  until ended < sample or looked >= childEnds.CHILDREN_READ
  flows.releaseParent(prefix, id)
end

local first = facts.heldCount(prefix)
local waiting = redis.call("ZCARD", call.parents) - first
if waiting == 0 then return 0 end
local sweptAt, offset = unpack(redis.call("HMGET", call.progress, "at", "offset"))
local agoMs = now - (tonumber(sweptAt) or 0)
-- Redis's clock may have been set back.
if agoMs >= 0 and agoMs < tonumber(call.everyMs) then return 0 end
local from = tonumber(offset) or 0
if from >= waiting then from = 0 end
local parents = redis.call("ZRANGE", call.parents, first + from, first + from + parentsMax - 1)
for _, id in ipairs(parents) do look(id) end
redis.call("HSET", call.progress, "at", now, "offset", from + #parents)
return recorded
