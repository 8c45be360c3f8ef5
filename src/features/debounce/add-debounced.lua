--[[
  Adds jobs, each unless another job has its deduplication key. While a job of the same debounce key waits that no worker has begun, a
  new one replaces what that job is to do, and moves it. Atomic: no job is claimed half replaced, and no key is held without its job.

  Called as add-jobs.lua is. ARGV[5…] for each job: id, name, data, key as envelope.ts has it, options, deduplication key and its milliseconds, delay in milliseconds,
    priority, extras as place-job.lua has them, with `debounce`: the hash of its debounce key, and the most milliseconds from the
    first submission of a window ("-": no limit). Then, where the data is encrypted: a job that was seen waiting, or "", with data and key
    as encrypted for that one; those before are for a new job.

  Returns for each job what has its key, as keyHolder in job-id.ts reads it: false where it is this job, now added; 0 where there is no room;
  in a list, another job that waits now, for which its data must be encrypted: then nothing was done with this one. Then the epoch's count. "other-epoch"
  where nothing was done.
]]
-- @include ../../core/bullmq/add/add-all.lua
-- @include ./replace.lua

local FIELDS = 13

-- Never at once: the job would be in no list before the end of this call.
local function dueAt(firstAt, delayMs, mostMs)
  local due = placedAt + delayMs
  return mostMs == "-" and due or math.max(placedAt + 1, math.min(due, firstAt + mostMs))
end

local function isEncrypted(data)
  return string.sub(data, 1, 1) ~= "{"
end

local function addDebounced(
  id, name, data, key, options, dedupKey, dedupKeyMs, delayMs, priority, extras, seen, dataForSeen, keyForSeen)
  local hash, mostMs = string.match(extras, '"debounce":"(%x+) ([^"]+)')
  local waiting, isHeld, keptUntil, firstAt, replaced, knownPlace = readWindow(hash)
  local target = waiting or id
  if target ~= id and isEncrypted(data) then
    if target == seen then
      data, key = dataForSeen, keyForSeen
    elseif redis.call("EXISTS", holderKey(queueStart, dedupKey)) == 0 then
      return { target }
    end
  end
  local holder = waiting and id .. " " .. waiting or id
  local known = claimKey(id, dedupKey, dedupKeyMs, holder)
  if known then return known end

  -- What decides where a job waits. Most submissions of a key agree in it.
  local place = delayMs .. " " .. priority .. " " .. extras
  local staysThere = place == knownPlace
  if waiting and not staysThere then
    takeAway(waiting)
    keptUntil = nil
  end
  keptUntil = keepWindow(hash, target, keptUntil, dedupKeyMs, delayMs)
  firstAt = firstAt or submittedAt
  local note = keptUntil .. " " .. firstAt .. " " .. (tonumber(replaced) or -1) + 1 .. " " .. place
  local due = dueAt(firstAt, delayMs, mostMs)
  if staysThere then
    replaceContent(waiting, data, key, options, note, due, isHeld)
  else
    placeJob(target, name, data, key, options, due - placedAt, priority, extras)
    redis.call("HSET", queueStart .. target, "debounce", note)
  end
  return waiting and holder or false
end

return addAll(FIELDS, addDebounced)
