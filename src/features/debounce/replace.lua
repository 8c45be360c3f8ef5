--[[
  Replaces what a job is to do that waits. Included by add-debounced.lua.
]]
-- @include ../../core/bullmq/job-facts.lua
-- @include ../../core/bullmq/names.lua
-- @include ../../core/life/take-out.lua
-- @include ./window.lua

local endFeatures, removeFeatures = {}, {}
-- @include ../points/end.lua
-- @include ../points/remove.lua

-- Returns the job whose content may be replaced: one that waits and was never delivered to a worker; whether it is held; and its note. Nil
-- where there is none. One that was cancelled by an older version has left its window.
local function readWindow(hash)
  local id = redis.call("GET", windowKey(queueStart, hash))
  if not id then return nil end
  local found = redis.call("HMGET", queueStart .. id, DELIVERIES, ENDED_AT, "heldAs", "debounce")
  if found[1] or found[2] or not found[4] then return nil end
  return id, found[3], parseNote(found[4])
end

-- Lets a job be the one of its window. Kept for longer than the job's key, so that few submissions write it. Returns until when, as text.
local function keepWindow(hash, id, keptUntil, dedupKeyMs, delayMs)
  if keptUntil and keptUntil - placedAt >= tonumber(dedupKeyMs) then return keptUntil end
  local keptMs = 2 * dedupKeyMs - delayMs
  redis.call("SET", windowKey(queueStart, hash), id, "PX", keptMs)
  return tostring(placedAt + keptMs)
end

-- A job that is in line already keeps its place there: looking for it in a long list would take Redis too long.
local function replaceContent(id, data, key, options, note, due, isHeld)
  local job = queueStart .. id
  redis.call("HSET", job, "data", data, OPTIONS, options, SUBMITTED_AT, submittedAt, "debounce", note)
  if key == "" then redis.call("HDEL", job, "key") else redis.call("HSET", job, "key", submittedAt .. " " .. key) end
  if isHeld then
    redis.call("HSET", job, "heldAs", due)
  elseif moveDelayed(queueStart, id, due) then
    emit(events, eventsMax, "delayed", "jobId", id, "delay", due)
    hasDelayed = true
  end
end

-- Removes a job from its window and all that waits, so that it can be placed anew under its id.
local function takeAway(id)
  local state, _, isHeld = jobState(queueStart, id)
  takeOut(queueStart, id, state, isHeld)
  for _, ended in ipairs(endFeatures) do ended(queueStart, id, "", placedAt) end
  for _, remove in ipairs(removeFeatures) do remove(queueStart, id, state) end
  redis.call("DEL", queueStart .. id)
end
