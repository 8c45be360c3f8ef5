--[[
  Adds jobs, each unless another job has its deduplication key. While a job of the same debounce key waits that no worker has begun, a
  new one replaces what that job is to do, and moves it. Atomic: no job is claimed half replaced, and no key is held without its job.
]]
local call = command({
  -- Called as add-jobs.lua is.
  keys = { "epoch", "sinceCheck" },
  arguments = {
    "prefix",
    "epochId",
    "epochCount",
    "checkEvery",
    -- For each job what add-jobs.lua has. Its extras have `debounce`: the hash of its debounce key, and the most milliseconds from the
    -- first submission of a window ("-": no limit). Then, where the data is encrypted: a job that was seen waiting, or "", with data and
    -- key as encrypted for that one; those before are for a new job.
    "...",
  },
  returns = [[for each job what has its key, as keyHolder in job-id.ts reads it: false where it is this job, now added; 0 where there is no room;
    in a list, another job that waits now, for which its data must be encrypted: then nothing was done with this one. Then the epoch's
    count. "other-epoch" where nothing was done.]],
  whenFull = "stops at its first write",
})
local adding = require("../../core/bullmq/add/add-all")
local names = require("../../core/bullmq/names")
local place = require("../../core/bullmq/add/place-job")
local replacement = require("./replace")

local FIELDS = 13

-- Never at once: the job would be in no list before the end of this call.
local function dueAt(now, firstAt, delayMs, mostMs)
  local due = now + delayMs
  return mostMs == "-" and due or math.max(now + 1, math.min(due, firstAt + mostMs))
end

local function isEncrypted(data)
  return string.sub(data, 1, 1) ~= "{"
end

local function addDebounced(
  placing, id, name, data, key, options, dedupKey, dedupKeyMs, delayMs, priority, extras, seen, dataForSeen, keyForSeen)
  local hash, mostMs = string.match(extras, '"debounce":"(%x+) ([^"]+)')
  local waiting, isHeld, keptUntil, firstAt, replaced, knownSpot = replacement.readWindow(placing, hash)
  local target = waiting or id
  if target ~= id and isEncrypted(data) then
    if target == seen then
      data, key = dataForSeen, keyForSeen
    elseif redis.call("EXISTS", names.holderKey(placing.prefix, dedupKey)) == 0 then
      return { target }
    end
  end
  local holder = waiting and id .. " " .. waiting or id
  local known = place.claimKey(placing, id, dedupKey, dedupKeyMs, holder)
  if known then return known end

  -- What decides where a job waits. Most submissions of a key agree in it.
  local spot = delayMs .. " " .. priority .. " " .. extras
  local staysThere = spot == knownSpot
  if waiting and not staysThere then
    replacement.takeAway(placing, waiting)
    keptUntil = nil
  end
  keptUntil = replacement.keepWindow(placing, hash, target, keptUntil, dedupKeyMs, delayMs)
  firstAt = firstAt or placing.submittedAt
  local note = keptUntil .. " " .. firstAt .. " " .. (tonumber(replaced) or -1) + 1 .. " " .. spot
  local due = dueAt(placing.now, firstAt, delayMs, mostMs)
  if staysThere then
    replacement.replaceContent(placing, waiting, data, key, options, note, due, isHeld)
  else
    place.placeJob(placing, target, name, data, key, options, due - placing.now, priority, extras)
    redis.call("HSET", placing.prefix .. target, "debounce", note)
  end
  return waiting and holder or false
end

return adding.addAll(call, ARGV, FIELDS, addDebounced)
