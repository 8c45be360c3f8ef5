#!lua flags=no-writes
--[[
  Reads Redis's memory.

  Returns { bytes used, limit in bytes (0: none), up to how many bytes new jobs are accepted }
]]
-- @include ../../platform/redis/fitness/memory.lua

return { readMemory() }
