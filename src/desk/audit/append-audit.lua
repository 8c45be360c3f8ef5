#!lua flags=allow-oom
--[[
  Writes an entry in an audit log, also while Redis is full: what frees memory is on record.

  KEYS[1] audit log
  ARGV[1] how many entries are kept   ARGV[2…] names and values in turn

  Returns the entry's id
]]
return redis.call("XADD", KEYS[1], "MAXLEN", "~", ARGV[1], "*", unpack(ARGV, 2))
