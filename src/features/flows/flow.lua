--[[
  Flows as BullMQ has them: a parent and its children. `prefix` is what all keys of the queue begin with,
  which parent and children share.

  A child is named by its key. It is among its parent's `dependencies` until it has ended; then among `processed` with its result, or
  among `failed` with its reason, or, where a failed child fails the parent, among `unsuccessful`.

  While a flow has not got all its children, its parent has one dependency more, which no job ends: so it does not run. Its field `flow` is
  then "open", or "cancelled", and "closed" from then on. The field `onChildFailure` is "fail" or "continue".

  BullMQ reports the end of a child to one parent: the one in its field `parent`. Its other parents are ours, as ids in its field `parents`.
]]
local stream = require("../../core/bullmq/add/emit")
local enqueue = require("../../core/bullmq/add/enqueue")
local names = require("../../core/bullmq/names")

-- Recorded for a child that is not kept any more.
local GONE = "JOB_NOT_FOUND: The child is not kept any more, so its result is unknown"

local function openMark(parent)
  return parent .. ":open"
end

local function isFlowOpen(parent)
  return redis.call("HGET", parent, "flow") == "open"
end

local function openFlow(parent)
  redis.call("HSET", parent, "flow", "open")
  redis.call("SADD", parent .. ":dependencies", openMark(parent))
end

local function closeFlow(parent)
  redis.call("HSET", parent, "flow", "closed")
  redis.call("SREM", parent .. ":dependencies", openMark(parent))
end

-- It gets no further children, and does not run without them.
local function cancelFlow(parent)
  if isFlowOpen(parent) then redis.call("HSET", parent, "flow", "cancelled") end
end

local function reopenFlow(parent)
  if redis.call("HGET", parent, "flow") == "cancelled" then redis.call("HSET", parent, "flow", "open") end
end

-- Puts a parent in line whose children have ended. BullMQ puts it in front, too.
local function enqueueParent(prefix, id)
  redis.call("ZREM", prefix .. "waiting-children", id)
  local isOpen, maxEvents = enqueue.readMeta(prefix)
  local priority = tonumber(redis.call("HGET", prefix .. id, "priority") or 0)
  if priority > 0 then enqueue.addPrioritized(prefix, id, priority) else redis.call("RPUSH", prefix .. "wait", id) end
  if isOpen then enqueue.wakeWorker(prefix) end
  stream.emit(prefix .. "events", maxEvents, "waiting", "jobId", id, "prev", "waiting-children")
end

local function isWaitingForChildren(prefix, id)
  return redis.call("ZSCORE", prefix .. "waiting-children", id)
end

local function awaitChildren(prefix, id, now)
  redis.call("ZADD", prefix .. "waiting-children", now, id)
  local _, maxEvents = enqueue.readMeta(prefix)
  stream.emit(prefix .. "events", maxEvents, "waiting-children", "jobId", id)
end

-- Older builds did not note it with the parent: then the child says it. If it does not, a failed child fails its parent, as in most flows.
local function childFailsParent(prefix, id, known)
  local onChildFailure = redis.call("HGET", prefix .. id, "onChildFailure")
  if onChildFailure then return onChildFailure == "fail" end
  return not (known and known.id == id and known.idof)
end

local function releaseParent(prefix, id)
  if redis.call("SCARD", prefix .. id .. ":dependencies") > 0 then return end
  if isWaitingForChildren(prefix, id) then enqueueParent(prefix, id) end
end

-- BullMQ's own text: a worker fails a job that has it in `defa` without running it.
local function failParent(prefix, id, child)
  if redis.call("EXISTS", prefix .. id) == 0 or names.hasFailed(prefix, id) then return end
  redis.call("HSET", prefix .. id, "defa", "child " .. child .. " failed")
  if isWaitingForChildren(prefix, id) then enqueueParent(prefix, id) end
end

-- What BullMQ does with a child that fails for good. `parent`: its id, and `fpof` where the child fails it.
local function recordFailedChild(prefix, child, parent, reason, now)
  local id = parent.id
  local key = prefix .. id
  if parent.fpof then
    redis.call("ZADD", key .. ":unsuccessful", now, child)
    failParent(prefix, id, child)
  else
    redis.call("HSET", key .. ":failed", child, reason)
    releaseParent(prefix, id)
  end
end

-- The parents of a job, as BullMQ stores them: first the one that BullMQ knows, too.
local function parentsOf(prefix, id)
  local text, others = unpack(redis.call("HMGET", prefix .. id, "parent", "parents"))
  if not text then return {} end
  -- What another tool has written there must not stop whoever removes ended jobs.
  local isJson, known = pcall(cjson.decode, text)
  if not isJson or type(known) ~= "table" or type(known.id) ~= "string" then return {} end
  local parents = { known }
  for other in string.gmatch(others or "", "%S+") do
    if other ~= known.id then parents[#parents + 1] = { id = other, fpof = childFailsParent(prefix, other) } end
  end
  return parents
end

-- Called where a job fails without a worker.
local function failChild(prefix, id, reason, now)
  local child = prefix .. id
  for _, parent in ipairs(parentsOf(prefix, id)) do
    if redis.call("SREM", prefix .. parent.id .. ":dependencies", child) == 1 then
      recordFailedChild(prefix, child, parent, reason, now)
    end
  end
end

return {
  GONE = GONE,
  openMark = openMark,
  isFlowOpen = isFlowOpen,
  openFlow = openFlow,
  closeFlow = closeFlow,
  cancelFlow = cancelFlow,
  reopenFlow = reopenFlow,
  isWaitingForChildren = isWaitingForChildren,
  awaitChildren = awaitChildren,
  childFailsParent = childFailsParent,
  releaseParent = releaseParent,
  failParent = failParent,
  recordFailedChild = recordFailedChild,
  parentsOf = parentsOf,
  failChild = failChild,
}
