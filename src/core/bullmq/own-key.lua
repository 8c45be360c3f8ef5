-- What a job itself has of its idempotency key.

-- The idempotency key of a job as JSON, perhaps encrypted; nil where only its data has it. An older version that has replaced what a job is to do
-- has left the key before, and another time of submission.
local function ownKey(prefix, id)
  local fields = redis.pcall("HMGET", prefix .. id, "key", "timestamp")
  if fields.err or not fields[1] then return nil end
  local submittedAt, key = string.match(fields[1], "^(%d+) (.+)$")
  return submittedAt == fields[2] and key or nil
end

return { ownKey = ownKey }
