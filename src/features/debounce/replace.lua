--[[
  Replaces what a job is to do that waits. `placing` is what place-job.lua calls so.
]]
local names = require("../../core/bullmq/names")
local states = require("../../core/bullmq/job-state")
local stream = require("../../core/bullmq/add/emit")
local waiting = require("../../core/bullmq/end/take-out")
local windows = require("./window")

-- Returns the job whose content may be replaced: one that waits and was never delivered to a worker; whether it is held; and its note. Nil
-- where there is none. One that was cancelled by an older version has left its window.
local function readWindow(placing, hash)
  local id = redis.call("GET", windows.windowKey(placing.prefix, hash))
  if not id then return nil end
  local found = redis.call("HMGET", placing.prefix .. id, names.DELIVERIES, names.ENDED_AT, "heldAs", "debounce")
  if found[1] or found[2] or not found[4] then return nil end
  return id, found[3], windows.parseNote(found[4])
end

-- Lets a job be the one of its window. Kept for longer than the job's key, so that few submissions write it. Returns until when, as text.
local function keepWindow(placing, hash, id, keptUntil, dedupKeyMs, delayMs)
  if keptUntil and keptUntil - placing.now >= tonumber(dedupKeyMs) then return keptUntil end
  local keptMs = 2 * dedupKeyMs - delayMs
  redis.call("SET", windows.windowKey(placing.prefix, hash), id, "PX", keptMs)
  return tostring(placing.now + keptMs)
end

-- A job that is in line already keeps its place there: looking for it in a long list would take Redis too long.
local function replaceContent(placing, id, data, key, options, note, due, isHeld)
  local job, submittedAt = placing.prefix .. id, placing.submittedAt
  redis.call("HSET", job, "data", data, names.OPTIONS, options, names.SUBMITTED_AT, submittedAt, "debounce", note)
  if key == "" then redis.call("HDEL", job, "key") else redis.call("HSET", job, "key", submittedAt .. " " .. key) end
  if isHeld then
    redis.call("HSET", job, "heldAs", due)
  elseif names.moveDelayed(placing.prefix, id, due) then
    stream.emit(placing.events, placing.maxEvents, "delayed", "jobId", id, "delay", due)
    placing.hasDelayed = true
  end
end

-- Removes a job from its window and all that waits, so that it can be placed anew under its id.
local function takeAway(placing, id)
  local enders = require("point:ended")
  local removers = require("point:remove")
  local prefix = placing.prefix
  local state, _, isHeld = states.jobState(prefix, id)
  waiting.takeOut(prefix, id, state, isHeld)
  for _, ended in ipairs(enders) do ended(prefix, id, "", placing.now) end
  for _, remove in ipairs(removers) do remove(prefix, id, state) end
  redis.call("DEL", prefix .. id)
end

return { readWindow = readWindow, keepWindow = keepWindow, replaceContent = replaceContent, takeAway = takeAway }
