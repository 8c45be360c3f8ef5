--[[
  Reads the idempotency keys of jobs, and as little as possible of their payloads.

  KEYS[1] completed jobs; the jobs share its slot
  ARGV[1] what all keys of the queue begin with   ARGV[2] how many bytes to return at most, but at least those of one job   ARGV[3…] job ids

  Returns for each job, as far as the bytes suffice: where the text is from, and the text. "key": the key as JSON, perhaps encrypted; "begin": what plain data
  begins with; "data": all of it; "": there is no job
]]
-- @include ../bullmq/own-key.lua

-- A key has 255 characters of 4 bytes at most.
local BEGIN_BYTES = 2048
local prefix, most = ARGV[1], tonumber(ARGV[2])

local function textOf(id)
  local key = ownKey(prefix, id)
  if key then return "key", key end
  local data = redis.pcall("HGET", prefix .. id, "data")
  if type(data) ~= "string" then return "", "" end
  if string.sub(data, 1, 8) == '{"key":"' then return "begin", string.sub(data, 1, BEGIN_BYTES) end
  return "data", data
end

local found, bytes = {}, 0
for at = 3, #ARGV do
  local from, text = textOf(ARGV[at])
  bytes = bytes + #text
  if bytes > most and at > 3 then break end
  found[#found + 1], found[#found + 2] = from, text
end
return found
