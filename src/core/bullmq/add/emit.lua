-- Events of jobs, as BullMQ writes them. Included by other scripts.

local MAX_EVENTS = 10000

local function emit(events, maxEvents, ...)
  redis.call("XADD", events, "MAXLEN", "~", maxEvents or MAX_EVENTS, "*", "event", ...)
end
