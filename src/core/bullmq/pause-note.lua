--[[
  Keeps the note of a queue's pause no longer than the pause. BullMQ's own resume deletes the pause alone, and the next pause would
  be shown with the old note. Atomic: a queue that is resumed meanwhile gets no note.
]]
local call = command({
  keys = {
    -- Meta (hash).
    "meta",
    -- Control (hash).
    "control",
  },
  arguments = {
    -- Note: the reason and its time, as JSON.
    "note",
    -- By whom.
    "by",
    -- Since, in milliseconds; none of them, to only drop what is over.
    "since",
  },
  returns = [[1 if the queue is paused]],
  whenFull = "stops at its first write",
})

local isPaused = redis.call("HEXISTS", call.meta, "paused")
if isPaused == 0 then
  redis.call("HDEL", call.control, "reason", "note", "by", "since")
elseif call.note then
  redis.call("HDEL", call.control, "reason")
  redis.call("HSET", call.control, "note", call.note, "by", call.by, "since", call.since)
end
return isPaused
