--[[
  Keeps the note of a queue's pause no longer than the pause. BullMQ's own resume deletes the pause alone, and the next pause would
  be shown with the old note. Atomic: a queue that is resumed meanwhile gets no note.

  KEYS[1] meta (hash)   KEYS[2] control (hash)
  ARGV[1] note: the reason and its time, as JSON   ARGV[2] by whom   ARGV[3] since, in milliseconds; none of them, to only drop what is over

  Returns 1 if the queue is paused
]]
local isPaused = redis.call("HEXISTS", KEYS[1], "paused")
if isPaused == 0 then
  redis.call("HDEL", KEYS[2], "reason", "note", "by", "since")
elseif ARGV[1] then
  redis.call("HDEL", KEYS[2], "reason")
  redis.call("HSET", KEYS[2], "note", ARGV[1], "by", ARGV[2], "since", ARGV[3])
end
return isPaused
