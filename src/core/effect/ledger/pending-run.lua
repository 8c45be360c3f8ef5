--[[
  Whether the run that left an effect in doubt may still be under way.

  A paused worker can go on where it stopped, and an effect that ignores its signal goes on by itself. It is over once its worker has
  said so (`isOver`, or a late `report`), and where its worker is not among those seen: it has stopped, or was not seen for ten
  minutes (heartbeat.lua). Nothing is known here of another queue's workers.

  Returns whether it may, and when its worker was seen last, false where it is not among them
]]

local function runMayBePending(workersSeen, entry)
  local seenAt = redis.call("ZSCORE", workersSeen, entry.worker or "")
  local isOver = entry.isOver or entry.report
  return not isOver and (seenAt or entry.isElsewhere) and true or false, seenAt
end

return { runMayBePending = runMayBePending }
