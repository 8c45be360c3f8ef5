--[[
  Reads Redis's memory.
]]
local call = command({
  keys = {},
  arguments = {},
  returns = [[{ bytes used, limit in bytes (0: none), up to how many bytes new jobs are accepted }]],
  whenFull = "writes nothing",
})
local memory = require("./fitness/memory")

return { memory.readMemory() }
