--[[
  Reads the idempotency keys of jobs, and as little as possible of their payloads.
]]
local call = command({
  keys = {
    -- Completed jobs; the jobs share its slot.
    "slot",
  },
  arguments = {
    "prefix",
    -- How many bytes to return at most, but at least those of one job.
    "bytesMax",
    -- Job ids.
    "...",
  },
  returns = [[
    for each job, as far as the bytes suffice: where the text is from, and the text. "key": the key as JSON, perhaps encrypted; "begin": what plain data
    begins with; "data": all of it; "": there is no job
  ]],
  whenFull = "stops at its first write",
})
local ownKeys = require("../bullmq/own-key")

-- A key has 255 characters of 4 bytes at most.
local BEGIN_BYTES = 2048
local prefix, most = call.prefix, tonumber(call.bytesMax)

local function textOf(id)
  local key = ownKeys.ownKey(prefix, id)
  if key then return "key", key end
  local data = redis.pcall("HGET", prefix .. id, "data")
  if type(data) ~= "string" then return "", "" end
  if string.sub(data, 1, 8) == '{"key":"' then return "begin", string.sub(data, 1, BEGIN_BYTES) end
  return "data", data
end

local found, bytes = {}, 0
for at = call.firstArgument, #ARGV do
  local from, text = textOf(ARGV[at])
  bytes = bytes + #text
  if bytes > most and at > 3 then break end
  found[#found + 1], found[#found + 2] = from, text
end
return found
