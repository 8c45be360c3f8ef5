-- Events of jobs, as BullMQ writes them.

local MAX_EVENTS = 10000

local function emit(events, maxEvents, ...)
  redis.call("XADD", events, "MAXLEN", "~", maxEvents or MAX_EVENTS, "*", "event", ...)
end

return { MAX_EVENTS = MAX_EVENTS, emit = emit }
