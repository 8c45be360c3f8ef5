--[[
  Replaces what a job is to do that waits. Included by add-debounced.lua.
]]
-- @include ../../core/bullmq/job-state.lua
-- @include ../../core/bullmq/take-out.lua
-- @include ./window.lua

local endFeatures, removeFeatures = {}, {}
-- @include ../points/end.lua
-- @include ../points/remove.lua

-- Returns the job whose content may be replaced: one that waits and was never delivered to a worker. Nil where there is none. One that was
-- cancelled by an older version has left its window.
local function openWindow(prefix, hash)
  local id = redis.call("GET", windowKey(prefix, hash))
  if not id then return nil end
  local deliveries, finishedOn, heldAs, note = unpack(
    redis.call("HMGET", prefix .. id, "ats", "finishedOn", "heldAs", "debounce"))
  local _, firstAt, replaced, place = parseNote(note)
  if deliveries or finishedOn or not firstAt then return nil end
  return { id = id, heldAs = heldAs, firstAt = firstAt, replaced = replaced, place = place }
end

-- A job that is in line already keeps its place there: looking for it in a long list would take Redis too long.
local function replaceContent(id, data, options, due, isHeld)
  local job = queueStart .. id
  redis.call("HSET", job, "data", data, "opts", options, "timestamp", submittedAt)
  if isHeld then
    redis.call("HSET", job, "heldAs", due)
  elseif redis.call("ZREM", queueStart .. "delayed", id) == 1 then
    addDelayed(queueStart, id, due, eventsMax)
    hasDelayed = true
  end
end

-- Removes a job, so that it can be placed anew under its id.
local function takeAway(id)
  takeOut(queueStart, id, jobState(queueStart, id))
  for _, ended in ipairs(endFeatures) do ended(queueStart, id, "", placedAt) end
  for _, remove in ipairs(removeFeatures) do remove(queueStart, id) end
  redis.call("DEL", queueStart .. id)
end

local function keepWindow(hash, id, ms, note)
  redis.call("SET", windowKey(queueStart, hash), id, "PX", ms)
  redis.call("HSET", queueStart .. id, "debounce", hash .. " " .. note)
end
