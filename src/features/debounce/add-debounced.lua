--[[
  Adds jobs, each unless another job has its deduplication key. While a job of the same debounce key waits that no worker has begun, a
  new one replaces what that job is to do, and moves it. Atomic: no job is claimed half replaced, and no key is held without its job.

  Called as add-jobs.lua is. ARGV[5…] for each job: id, name, data, options, deduplication key and its milliseconds, delay in milliseconds,
    priority, extras as place-job.lua has them, with `debounce`: the hash of its debounce key, and the most milliseconds from the
    first submission of a window ("-": no limit); then the job for which the data is encrypted, or "" where it is not

  Returns for each job what has its key, as keyHolder in job-id.ts reads it: false where it is this job, now added; 0 where there is no room;
  in a list, the job for which its data must be encrypted: then nothing was done with this one. Then the epoch's count. "other-epoch"
  where nothing was done.
]]
-- @include ../../core/bullmq/add/add-all.lua
-- @include ./replace.lua

local FIELDS = 10

local function addDebounced(id, name, data, options, dedupKey, dedupKeyMs, delayMs, priority, extras, encryptedFor)
  local key = queueStart .. "de:" .. dedupKey
  if redis.call("EXISTS", key) == 1 then
    return addJob(id, name, data, options, dedupKey, dedupKeyMs, delayMs, priority, extras)
  end
  local hash, mostMs = string.match(extras, '"debounce":"(%S+) ([^"]+)"')
  local window = openWindow(queueStart, hash)
  local target = window and window.id or id
  if encryptedFor ~= "" and encryptedFor ~= target then return { target } end

  local firstAt = window and window.firstAt or submittedAt
  local due = placedAt + delayMs
  -- Never at once: then it would be in no list before the end of this call.
  if mostMs ~= "-" then due = math.max(placedAt + 1, math.min(due, firstAt + mostMs)) end
  -- What decides where a job waits. Most submissions of a key agree in it.
  local place = delayMs .. " " .. priority .. " " .. extras
  if not window then
    placeJob(id, name, data, options, delayMs, priority, extras)
  elseif window.place == place then
    replaceContent(target, data, options, due, window.heldAs)
  else
    takeAway(target)
    placeJob(target, name, data, options, due - placedAt, priority, extras)
  end
  local replaced = window and window.replaced + 1 or 0
  keepWindow(hash, target, dedupKeyMs, firstAt .. " " .. replaced .. " " .. place)
  if not window then
    redis.call("SET", key, id, "PX", dedupKeyMs)
    return false
  end
  local holder = id .. " " .. target
  redis.call("SET", key, holder, "PX", dedupKeyMs)
  return holder
end

return addAll(FIELDS, addDebounced)
