--[[
  Runs of handlers that were told to stop and have not returned. Their attempts have ended; what they do still happens.

  Workers note them by job: a hash, { [job id] = JSON of { worker, delivery, type, at }, … }. A note counts until its worker takes it back, has
  stopped, or was not seen for `goneMs`.
]]
local clock = require("../../platform/redis/now")

local HASH, SEEN = "still-running", "workers:seen"

local function notesIn(json)
  return json and cjson.decode(json) or {}
end

local function livingOf(prefix, json, now, goneMs)
  local living = {}
  for _, note in ipairs(notesIn(json)) do
    local seenAt = tonumber(redis.call("ZSCORE", prefix .. SEEN, note.worker) or "")
    if seenAt and now - seenAt < goneMs then
      note.seenAt = seenAt
      living[#living + 1] = note
    end
  end
  return living
end

-- Returns a flat list: worker, since when, when the worker was seen last, 1 or 0 whether it has missed its heartbeats. Almost always empty.
local function stillRunsOf(prefix, id, silentMs, goneMs)
  local runs, json = {}, redis.call("HGET", prefix .. HASH, id)
  if not json then return runs end
  local now = clock.nowMs()
  for _, note in ipairs(livingOf(prefix, json, now, tonumber(goneMs))) do
    local isSilent = now - note.seenAt >= tonumber(silentMs)
    for _, value in ipairs({ note.worker, string.format("%.0f", note.at), string.format("%.0f", note.seenAt), isSilent and "1" or "0" }) do
      runs[#runs + 1] = value
    end
  end
  return runs
end

-- Forgets the notes of workers that are not among those seen.
local function forget(prefix)
  local stored = redis.call("HGETALL", prefix .. HASH)
  for at = 1, #stored, 2 do
    local kept = {}
    for _, note in ipairs(notesIn(stored[at + 1])) do
      if redis.call("ZSCORE", prefix .. SEEN, note.worker) then kept[#kept + 1] = note end
    end
    if #kept == 0 then
      redis.call("HDEL", prefix .. HASH, stored[at])
    else
      redis.call("HSET", prefix .. HASH, stored[at], cjson.encode(kept))
    end
  end
end

return { HASH = HASH, notesIn = notesIn, livingOf = livingOf, stillRunsOf = stillRunsOf, forget = forget }
