--[[
  Writes an entry in an audit log, also while Redis is full: what frees memory is on record.
]]
local call = command({
  keys = { "audit" },
  arguments = {
    -- How many entries are kept.
    "entriesMax",
    -- Names and values in turn.
    "...",
  },
  returns = [[the entry's id]],
  whenFull = "runs",
})

return redis.call("XADD", call.audit, "MAXLEN", "~", call.entriesMax, "*", unpack(ARGV, call.firstArgument))
